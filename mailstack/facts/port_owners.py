"""The processes that have ports which a component needs."""

from __future__ import annotations

from collections.abc import Sequence

from mailstack.facts.fact import Fact
from mailstack.shell import script
from mailstack.text import lines_of


class PortOwners(Fact[tuple[str, ...]]):
    """The base of both facts: the names of the processes, a tuple of text."""

    abstract = True
    default = tuple

    def command(self) -> str:
        """Ask the kernel."""
        return self.asking([])

    def parse(self, output: str) -> tuple[str, ...]:
        """See ``Question.parse``."""
        return tuple(lines_of(output))


class NameServers(PortOwners):
    """Return the names of the processes that have port 53 of 127.0.0.1: a tuple of text.

    They answer questions of this host for names, before a resolver of mailstack does.
    """

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``: of that address, or of all, for TCP and UDP."""
        sockets = "^(0A|07) (0100007F|0+|0000000000000000FFFF00000100007F):0035$"
        return script("port_owners", sockets, "unbound")


class WebServers(PortOwners):
    """Return the names of the processes that listen on port 80 or 443: a tuple of text."""

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``: at whatever address."""
        return script("port_owners", "^0A [0-9A-F]+:(0050|01BB)$", "nginx")


NAME_SERVERS = NameServers.of()
WEB_SERVERS = WebServers.of()
