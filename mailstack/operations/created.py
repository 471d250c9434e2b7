"""What a host gets once and keeps as its own: system users, passwords, certificates."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Protocol

from pyinfra.api.command import PyinfraCommand

from mailstack.facts.platform import PLATFORM, ByPlatform, here, of_any_release
from mailstack.facts.reading import announce
from mailstack.operation import operation
from mailstack.operations.stages import Change, in_stages


class Created(Protocol):
    """Something that is created on a host, and changed only if it no longer serves."""

    def announce(self) -> None:
        """Say what ``changes`` will ask."""

    def changes(self) -> Sequence[Change]:
        """Return what creates or changes it; nothing if it is there."""


def created(things: ByPlatform[Sequence[Created]]) -> None:
    """Create what is missing on the host.

    + things: those for a platform
    """
    announce(PLATFORM)
    for thing in of_any_release(things):
        thing.announce()
    _created(things=things, name="Make users, passwords and certificates")


@operation
def _created(things: ByPlatform[Sequence[Created]]) -> Generator[PyinfraCommand]:
    yield from in_stages(
        [lambda: [change for thing in here(things) for change in thing.changes()]],
        "all are there",
    )
