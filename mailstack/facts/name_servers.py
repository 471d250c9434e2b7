"""The processes that answer questions of this host for names, before a resolver of mailstack does."""

from __future__ import annotations

from collections.abc import Sequence

from mailstack.facts.fact import Fact
from mailstack.shell import script


class NameServers(Fact[tuple[str, ...]]):
    """Return the names of the processes that have port 53 of 127.0.0.1: a tuple of text."""

    default = tuple

    def command(self) -> str:
        """Ask the kernel."""
        return self.asking([])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return script("name_servers")

    def parse(self, output: str) -> tuple[str, ...]:
        """See ``Question.parse``."""
        return tuple(output.splitlines())


NAME_SERVERS = NameServers.of()
