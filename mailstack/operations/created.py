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


class Completed(Created, Protocol):
    """A thing that is created once all services run, and that may fail without failing the run."""

    def tell(self) -> None:
        """Say what is wrong, after the changes."""


def created(things: ByPlatform[Sequence[Created]], name: str) -> None:
    """Create missing things on the host.

    + things: the things for a platform
    + name: the name of the operation
    """
    _announce(things)
    _created(things=things, name=name)


def completed(things: ByPlatform[Sequence[Completed]], name: str) -> None:
    """Create missing things on the host, and say what is wrong; see ``created``."""
    _announce(things)
    _completed(things=things, name=name)


def _announce(things: ByPlatform[Sequence[Created]]) -> None:
    announce(PLATFORM)
    for thing in of_any_release(things):
        thing.announce()


@operation
def _created(things: ByPlatform[Sequence[Created]]) -> Generator[PyinfraCommand]:
    yield from in_stages([lambda: _changes(here(things))], "all are there")


@operation
def _completed(things: ByPlatform[Sequence[Completed]]) -> Generator[PyinfraCommand]:
    yield from completing(here(things))


def completing(things: Sequence[Completed]) -> Generator[PyinfraCommand]:
    """Make the changes, and say what is wrong then."""
    yield from in_stages([lambda: _changes(things)], "all are there")
    if is_executing():
        for thing in dict.fromkeys(things):
            thing.tell()


def _changes(things: Sequence[Created]) -> list[Change]:
    return [change for thing in dict.fromkeys(things) for change in thing.changes()]
