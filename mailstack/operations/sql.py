"""The database server, its roles, the database and its schema, in one operation."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple
from weakref import WeakKeyDictionary

from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from mailstack.engines import engine_of, passwords_of
from mailstack.facts.platform import ByPlatform, here
from mailstack.files import Group
from mailstack.operation import operation
from mailstack.operations.config_files import announce_files, file_changes
from mailstack.operations.stages import Change, in_stages
from mailstack.operations.units import Unit, announce_units, changes
from mailstack.replication import REPLICATION_PASSWORD
from mailstack.run import current_host
from mailstack.secrets import Store

if TYPE_CHECKING:
    from pyinfra.api.host import Host

    from mailstack.engines.contract import Step
    from mailstack.settings import Settings


_deploying: WeakKeyDictionary[Host, Settings] = WeakKeyDictionary()


def deploying(settings: Settings) -> None:
    """Record that this run deploys the current host, with its database if it has one, with these settings."""
    _deploying[current_host()] = settings


def deployed_with() -> Settings | None:
    """Return the settings with which this run deploys the current host, if any."""
    return _deploying.get(current_host())


class Server(NamedTuple):
    """The database server on a host of the inventory, for a platform; without files and units elsewhere.

    + files: its configuration
    + units: its services
    + secrets: the source of the secrets in its files
    + slots: the slots of its standbys
    """

    files: ByPlatform[Sequence[Group]]
    units: ByPlatform[Sequence[Unit]]
    secrets: Store
    slots: Sequence[str] = ()


def converge(settings: Settings, passwords: Store, server: Server | None) -> None:
    """Configure and start the server, and set up the roles, the database and the schema.

    + passwords: the passwords of the roles, under the names of ``mailstack.database_passwords``
    + server: ``None`` on a host with a standby. It takes part so that its next operation comes later, as
      pyinfra only keeps the order of each host's operations

    Raises ``OperationError`` if the server can't be reached, or refuses a query.
    """
    if server is not None:
        _announce(settings, passwords, server)
    _converge(settings=settings, passwords=passwords, server=server, name="Set up the mail database")


def _announce(settings: Settings, passwords: Store, server: Server) -> None:
    deploying(settings)
    announce_files(server.files, server.secrets)
    announce_units(server.units)
    engine_of(settings).announce(settings)
    passwords.announce([*passwords_of(settings), *([REPLICATION_PASSWORD] if server.slots else [])])


@operation
def _converge(settings: Settings, passwords: Store, server: Server | None) -> Generator[PyinfraCommand]:
    if server is None:
        host.noop("it is on another host")
        return
    engine = engine_of(settings)
    database = engine.database(settings)

    def as_changes(steps: Iterator[Step]) -> Iterator[Change]:
        for step in steps:
            command = database.script(step.database, step.sql, step.title, transaction=step.transaction)
            yield Change([step.title], command)

    yield from in_stages(
        [
            lambda: file_changes(here(server.files), server.secrets),
            lambda: changes(here(server.units)),
            lambda: as_changes(engine.missing(settings)),
            lambda: as_changes(engine.steps(settings, passwords, server.slots)),
        ],
        "server, roles, database and schema are as they should be",
    )
