"""Things that are created once on a host: system users, passwords, certificates."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from pyinfra.api.command import PyinfraCommand

from mailstack.facts.platform import PLATFORM, ByPlatform, here, of_any_release
from mailstack.facts.reading import announce
from mailstack.operation import operation
from mailstack.operations.stages import Change, in_stages
from mailstack.run import is_executing


class Created(Protocol):
    """A thing that is created on a host, and changed only if it is no longer valid."""

    def announce(self) -> None:
        """Announce the questions of ``changes``."""

    def changes(self) -> Sequence[Change]:
        """Return the changes that create or fix it; none if it exists."""


def created(things: ByPlatform[Sequence[Created]], name: str, *, again: bool = False) -> None:
    """Create missing things on the host.

    + things: the things for a platform
    + name: the name of the operation
    + again: whether each looks again after the changes, for what it has to say then
    """
    announce(PLATFORM)
    for thing in of_any_release(things):
        thing.announce()
    _created(things=things, again=again, name=name)


@operation
def _created(things: ByPlatform[Sequence[Created]], again: bool) -> Generator[PyinfraCommand]:
    def changes() -> list[Change]:
        return [change for thing in dict.fromkeys(here(things)) for change in thing.changes()]

    yield from in_stages([changes] * (2 if again and is_executing() else 1), "all are there")
