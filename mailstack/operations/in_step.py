"""Hosts that need each other: none is changed if one of them can't be."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from mailstack.facts.platform import PLATFORM
from mailstack.facts.reading import announce, current_host, give_up, read

if TYPE_CHECKING:
    from pyinfra.api.host import Host


def check_first(owner: Host) -> None:
    """Check what is required of the current host, and leave it out if the one that it needs is left out then.

    An operation ends on all hosts before the next begins: the first reads and checks, the second looks round.

    + owner: the host with the database, which is to call this too
    """
    announce(PLATFORM, PLATFORM)
    _read(name="Check the host")
    _owner_is_well(owner=owner.name, name="Check the host with the database")


@operation()
def _read() -> Generator[StringCommand]:
    read(PLATFORM)
    host.noop("nothing is in the way")
    yield from ()


@operation()
def _owner_is_well(owner: str) -> Generator[StringCommand]:
    current = current_host()
    if owner in {failed.name for failed in current.state.failed_hosts}:
        give_up(current, f"{owner} has the database and was left out, so nothing is changed here")
    host.noop("it is well")
    yield from ()
