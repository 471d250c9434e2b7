"""The roles, the database and its schema: operations that put right what differs."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from mailstack.engines import PASSWORDS, engine_of
from mailstack.operation import operation
from mailstack.run import current_host

if TYPE_CHECKING:
    from pyinfra.api.host import Host

    from mailstack.engines.contract import Step
    from mailstack.secrets import Store
    from mailstack.settings import Settings


_deploying: WeakKeyDictionary[Host, Settings] = WeakKeyDictionary()


def deploying(settings: Settings) -> None:
    """Note that this run deploys the current host with these settings, its database too if it has one."""
    _deploying[current_host()] = settings


def deployed_with() -> Settings | None:
    """Return the settings that this run deploys the current host with, if it does."""
    return _deploying.get(current_host())


def converge(settings: Settings, passwords: Store) -> None:
    """Make the roles, the database and the schema as they should be.

    + passwords: of the roles, under the names of ``mailstack.database_passwords``

    Raises ``OperationError`` if the server can't be reached, or refuses a query.
    """
    deploying(settings)
    engine_of(settings).announce(settings)
    passwords.announce(PASSWORDS)
    engine = engine_of(settings)
    _take(settings=settings, find=lambda: engine.missing(settings), name="Make the mail database")
    _take(settings=settings, find=lambda: engine.steps(settings, passwords), name="Set up the mail database")


@operation
def _take(settings: Settings, find: Callable[[], Iterator[Step]]) -> Generator[PyinfraCommand]:
    database = engine_of(settings).database(settings)
    steps = list(find())
    for step in steps:  # all of them before the first is taken: a dry run goes no further than that
        host.log(step.title)
    for step in steps:
        yield database.script(step.database, step.sql, step.title, transaction=step.transaction)
    if not steps:
        host.noop("roles, database and schema are as they should be")
