"""Users and groups of the host itself."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from mailstack.facts.reading import Probe


class SystemUsers(NamedTuple):
    """Lines of passwd(5) and group(5), each split at its colons."""

    users: tuple[tuple[str, ...], ...]
    groups: tuple[tuple[str, ...], ...]

    def user(self, key: str) -> tuple[str, ...] | None:
        """The user of that name or number."""
        return next((line for line in self.users if key in (line[0], line[2])), None)

    def group(self, key: str) -> tuple[str, ...] | None:
        """The group of that name or number."""
        return next((line for line in self.groups if key in (line[0], line[2])), None)


def system_users(keys: Sequence[str]) -> Probe[SystemUsers]:
    """Users and groups that have one of these names or numbers."""
    return Probe(_entries_of, tuple(keys), _parse)


def _entries_of(keys: Sequence[str]) -> str:
    return f"getent passwd {shlex.join(keys)}; echo; getent group {shlex.join(keys)}"


def _parse(output: str) -> SystemUsers:
    users, _, groups = output.partition("\n\n") if not output.startswith("\n") else ("", "", output)
    split = (tuple(tuple(line.split(":")) for line in part.splitlines() if line) for part in (users, groups))
    return SystemUsers(*split)
