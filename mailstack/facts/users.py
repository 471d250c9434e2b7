"""System users and groups."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from mailstack.facts.fact import Fact, Names, Value, listed
from mailstack.text import lines_of


@dataclass(frozen=True)
class UsersAndGroups(Value):
    """Lines of passwd(5) and group(5), each split at its colons."""

    users: tuple[tuple[str, ...], ...] = ()
    groups: tuple[tuple[str, ...], ...] = ()

    def user(self, key: str) -> tuple[str, ...] | None:
        """Return the user of that name or number."""
        return next((line for line in self.users if key in (line[0], line[2])), None)

    def group(self, key: str) -> tuple[str, ...] | None:
        """Return the group of that name or number."""
        return next((line for line in self.groups if key in (line[0], line[2])), None)


class SystemUsers(Fact[UsersAndGroups]):
    """Return the system users and groups with one of these names or numbers: ``UsersAndGroups``.

    + keys: names and numbers of users and groups
    """

    default = UsersAndGroups

    def command(self, keys: Names) -> str:
        """Ask the name service for these users and groups."""
        return self.asking(listed(keys))

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return f"getent passwd {shlex.join(about)}; echo; getent group {shlex.join(about)}"

    def parse(self, output: str) -> UsersAndGroups:
        """See ``Question.parse``."""
        users, _, groups = output.partition("\n\n") if not output.startswith("\n") else ("", "", output)
        return UsersAndGroups(self._entries(users), self._entries(groups))

    def _entries(self, lines: str) -> tuple[tuple[str, ...], ...]:
        entries = (tuple(line.split(":")) for line in lines_of(lines) if line)
        return tuple(entry for entry in entries if {entry[0], entry[2]}.intersection(self.about))
