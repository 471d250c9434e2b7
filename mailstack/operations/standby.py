"""A standby: a copy of the primary's data on another host, which follows it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import OperationError

from mailstack import hosts
from mailstack.engines.postgresql import replication
from mailstack.engines.postgresql.database import HostDatabase
from mailstack.facts.clusters import NAME
from mailstack.facts.platform import CLUSTERS, PLATFORM, ByPlatform, here
from mailstack.facts.reading import announce, read
from mailstack.files import Group
from mailstack.operation import operation
from mailstack.operations.config_files import announce_files, file_changes
from mailstack.operations.own_ca import OwnCertificate
from mailstack.operations.sql import Server, deploying
from mailstack.operations.stages import Change, in_stages
from mailstack.operations.units import announce_units, changes
from mailstack.run import is_executing
from mailstack.shell import script, shell

if TYPE_CHECKING:
    from mailstack.settings import Settings
    from mailstack.topology import Node


class Standby(NamedTuple):
    """A standby on the current host.

    + primary: the host that it follows
    + slot: the name of its slot there
    + conninfo: libpq's connection string for the primary, without a password
    + trust: the files of secrets and certificates, which come first
    + certificate: the certificate that is made from these
    + server: the files and units of PostgreSQL
    """

    primary: Node
    slot: str
    conninfo: str
    trust: ByPlatform[Sequence[Group]]
    certificate: OwnCertificate
    server: Server


def converge(settings: Settings, standby: Standby) -> None:
    """Configure PostgreSQL as a standby, copy the primary's data unless it has them, and start it.

    A cluster with data that is no standby of this primary is left alone, and is an error.

    Raises ``OperationError`` if the primary can't be asked.
    """
    deploying(settings)
    for files in (standby.trust, standby.server.files):
        announce_files(files, standby.server.secrets)
    announce_units(standby.server.units)
    standby.certificate.announce()
    announce(CLUSTERS)
    _converge(settings=settings, standby=standby, name="Set up the standby of the mail database")


@operation
def _converge(settings: Settings, standby: Standby) -> Generator[PyinfraCommand]:
    server = standby.server
    yield from in_stages(
        [
            lambda: file_changes(here(standby.trust), server.secrets),
            standby.certificate.changes,
            lambda: file_changes(here(server.files), server.secrets),
            lambda: _copy(settings, standby),
            lambda: changes(here(server.units)),
        ],
        f"it is a standby of {standby.primary.name}",
    )


def _copy(settings: Settings, standby: Standby) -> Iterator[Change]:
    """Yield the change that copies the primary's data, unless this host has them."""
    version = read(PLATFORM).postgresql
    found = [each for each in read(CLUSTERS).clusters if (each.version, each.name) == (version, NAME)]
    follows = any(cluster.has("standby") for cluster in found)
    title = f"copy the data of {standby.primary.name}"
    host = hosts.host_of(standby.primary)
    database = HostDatabase(settings.db_port)
    primary = database.query(settings.mail_db_name, replication.STATE, host)
    if primary is None:
        if is_executing():
            raise OperationError(f"{standby.primary.name} has no mail database that answers, to copy")
        if not follows:
            yield Change([title], shell("true"))
        return
    if primary["standby"]:
        raise OperationError(f"mail_db_primary: the PostgreSQL of {standby.primary.name} is a standby itself")
    if (theirs := read(PLATFORM, host).postgresql) != version:
        raise OperationError(
            f"this host has PostgreSQL {version}, and {standby.primary.name} {theirs}; allowed: the same "
            "release of Debian on both"
        )
    if any(cluster.has("used") and not cluster.has("standby") for cluster in found):
        raise OperationError(not_ours(f"{version}/{NAME}"))
    slot = primary["slots"].get(standby.slot)
    if not follows or (slot is not None and not slot["keeps"]):
        yield Change([title], shell(script("base_backup", version, standby.conninfo, standby.slot)))


def not_ours(cluster: str) -> str:
    """Return the error for a cluster with data that a standby would replace."""
    return (
        f"the PostgreSQL cluster {cluster} of this host has data and is no standby, so no copy replaces it; "
        "allowed: mailstack.db.rejoin for a former primary, or a host without data"
    )
