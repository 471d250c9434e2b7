"""The installed Debian packages."""

from __future__ import annotations

import shlex
from collections.abc import Sequence

from mailstack.facts.fact import Fact, Names, listed
from mailstack.text import lines_of


class InstalledPackages(Fact[set[str]]):
    """Return the packages that are completely installed and configured: ``set[str]``.

    + names: the names of the packages to check
    """

    default = set

    def command(self, names: Names) -> str:
        """Ask dpkg for these packages."""
        return self.asking(listed(names))

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return f"dpkg-query -W -f '${{Package}} ${{db:Status-Status}}\\n' {shlex.join(about)}"

    def parse(self, output: str) -> set[str]:
        """See ``Question.parse``."""
        found = {line.split()[0] for line in lines_of(output) if line.endswith(" installed")}
        return found.intersection(self.about)
