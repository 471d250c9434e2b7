"""Hosts that need each other: none is changed if one of them can't be changed."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING

from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import OperationError
from pyinfra.context import host

from mailstack.facts.platform import PLATFORM
from mailstack.facts.reading import announce, read, was_checked
from mailstack.operation import operation
from mailstack.run import has_failed, is_executing

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.secrets import Store


def check_first(owner: str, store: Store, names: Sequence[str]) -> None:
    """Check the requirements of the current host, and fail it if the host with its database has failed.

    An operation ends on all hosts before the next begins, so the first reads and checks, and the second looks
    at the other host. With pyinfra's ``--serial`` or ``--no-wait`` this is not so, and the passwords must
    exist.

    + owner: the name of the host with the database, which must call this too
    + store: the passwords of the current host
    + names: the names of the passwords that it needs
    """
    announce(PLATFORM, PLATFORM)
    _read(name="Check the host")
    _owner_is_well(owner=owner, store=store, names=names, name="Check the host with the database")


@operation
def _read() -> Generator[StringCommand]:
    read(PLATFORM)
    host.noop("nothing is in the way")
    yield from ()


@operation
def _owner_is_well(owner: str, store: Store, names: Sequence[str]) -> Generator[StringCommand]:
    if has_failed(owner):
        raise OperationError(f"{owner} has the database and was left out, so nothing is changed here")
    if is_executing() and not was_checked(host.inventory.get_host(owner)):
        values = store.values(set(names))
        if missing := ", ".join(name for name, value in values.items() if value is None):
            raise OperationError(
                f"{owner} has the database, does not keep {missing} yet and comes after {host.name} in "
                "this run, so nothing is changed here; allowed: a first run without --serial and --no-wait",
            )
    host.noop("it is well")
    yield from ()
