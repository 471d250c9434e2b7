"""The processes that have the ports of a web server."""

from __future__ import annotations

from collections.abc import Sequence

from mailstack.facts.fact import Fact
from mailstack.shell import script


class WebServers(Fact[tuple[str, ...]]):
    """Return the names of the processes that listen on port 80 or 443: a tuple of text."""

    default = tuple

    def command(self) -> str:
        """Ask the kernel."""
        return self.asking([])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return script("web_servers")

    def parse(self, output: str) -> tuple[str, ...]:
        """See ``Question.parse``."""
        return tuple(output.splitlines())


WEB_SERVERS = WebServers.of()
