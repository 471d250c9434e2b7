"""The commands ``mailstack.db.status``, ``promote`` and ``rejoin``."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

from pyinfra import logger
from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack import hosts
from mailstack.accounts.arguments import arguments_checked
from mailstack.components.component import site_of
from mailstack.components.postgresql import conninfo
from mailstack.db.printed import as_json, as_text
from mailstack.engines.postgresql import replication
from mailstack.engines.postgresql.database import HostDatabase
from mailstack.facts.clusters import NAME
from mailstack.facts.platform import CLUSTERS, PLATFORM
from mailstack.facts.reading import read
from mailstack.operation import naming_the_host, only_looks, operation
from mailstack.operations.sql import deployed_with
from mailstack.replication import slot
from mailstack.run import answer, is_executing, leave_out
from mailstack.settings import Settings
from mailstack.shell import script, shell

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand

    from mailstack.components.component import Site
    from mailstack.deploys import GlobalArguments
    from mailstack.topology import Node

FORMATS = {"table": as_text, "json": as_json}


class _Cluster(NamedTuple):
    """The hosts with the database, seen from one of them.

    + node: the host that the command is about
    """

    site: Site
    node: Node

    @property
    def peers(self) -> list[Node]:
        """The others that this run reaches."""
        site = self.site
        return [
            peer for peer in site.topology.database_peers(site.settings) if peer.name in site.topology.reached
        ]

    @property
    def primary(self) -> Node:
        """The host with the primary, as the inventory has it."""
        return self.site.topology.database_nodes(self.site.settings)[0]

    def state(self, node: Node | None = None) -> Mapping[str, Any] | None:
        """Return the state of the server of a host, by default of this one, or ``None`` if it is silent."""
        settings = self.site.settings
        other = None if node is None or node == self.site.here else hosts.host_of(node)
        state: Mapping[str, Any] | None = HostDatabase(settings.db_port).query(
            settings.mail_db_name, replication.STATUS, other
        )
        return state


@arguments_checked("mailstack.db", "Database")
@only_looks
def status(*, format: str = "table", **pyinfras: Unpack[GlobalArguments]) -> None:
    """Print which host has the primary, which have standbys, and how far these are behind.

    + format: ``table`` or ``json``

    Raises ``OperationValueError`` for another format. Fails if a server does not answer, or is not what the
    inventory says.

    **Example:**

    .. code:: shell

        pyinfra -y INVENTORY mailstack.db.status
    """
    if format not in FORMATS:
        raise OperationValueError(f"format = {format!r}: allowed: {', '.join(FORMATS)}")
    with naming_the_host():
        site = _site()
        if not site.runs_database:
            return
        state = _Cluster(site, site.here).state()
    slots = {slot(node.name): node.name for node in site.topology.database_peers(site.settings)}
    answer(FORMATS[format](host.name, state, slots))
    primary = site.topology.database_nodes(site.settings)[0].name
    if state is None:
        leave_out(f"{host.name}: the database server does not answer")
    if state["standby"] != site.has_standby:
        leave_out(f"{host.name}: the inventory has {primary} as the primary: see mail_db_primary")


@arguments_checked("mailstack.db", "Database")
def promote(node: str, **pyinfras: Unpack[GlobalArguments]) -> None:
    """Make a standby the primary. A primary that is reached is stopped before, and loses nothing.

    One that is not reached stops by itself as soon as it reaches the new one. Then set ``mail_db_primary``
    to the new one, for all hosts, and deploy.

    + node: the host with the standby, by its name in the inventory

    Raises ``OperationValueError`` for another host. Fails if it is no standby, or if another standby has
    received more.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.db.promote db2.example.org
    """
    with naming_the_host():
        cluster = _cluster(node)
    if cluster is None:
        return
    if cluster.site.here != cluster.node:
        _stand_down(cluster=cluster, name=f"Stop the primary for {node}")
    else:
        _promote(cluster=cluster, name=f"Make {node} the primary")


@operation
def _stand_down(cluster: _Cluster) -> Generator[PyinfraCommand]:
    state = cluster.state()
    if state is None or state["standby"]:
        host.noop("it is no primary")
        return
    theirs = cluster.state(cluster.node) if cluster.node in cluster.peers else None
    if theirs is None or not theirs["standby"] or theirs["system"] != state["system"]:
        raise OperationError(f"{cluster.node.name} is no standby of this host that answers")
    version = read(PLATFORM).postgresql
    host.log(f"stop PostgreSQL, which then is a standby of {cluster.node.name}")
    yield shell(script("stand_down", version))


@operation
def _promote(cluster: _Cluster) -> Generator[PyinfraCommand]:
    state = cluster.state()
    if state is None:
        raise OperationError("its database server does not answer")
    settings = cluster.site.settings
    if not state["standby"]:
        host.noop("it is the primary")
    else:
        for peer in cluster.peers:
            theirs = cluster.state(peer)
            if theirs and not theirs["standby"] and is_executing():
                raise OperationError(f"{peer.name} still is the primary, and could not be stopped: see above")
            if theirs and theirs["standby"] and theirs["received"] > state["received"]:
                raise OperationError(f"{peer.name} has received more; allowed: {peer.name}")
        database = HostDatabase(settings.db_port)
        slots = [slot(each.name) for each in cluster.site.topology.database_peers(settings)]
        yield database.script(
            settings.mail_db_name, replication.promotion(slots), "promote", transaction=False
        )
    if cluster.site.has_standby:
        text = f"now set mail_db_primary = {cluster.node.name!r} for all hosts, and deploy"
        host.log_styled(text, fg="yellow", log_func=logger.warning)


@arguments_checked("mailstack.db", "Database")
def rejoin(node: str, **pyinfras: Unpack[GlobalArguments]) -> None:
    """Replace the data of a former primary by a copy of the primary's; then deploy, which starts it.

    Changes that only the former primary had are lost. A standby that runs and follows no primary, as it has
    other data or needs what is gone, gets a copy too.

    + node: the host, by its name in the inventory

    Raises ``OperationValueError`` for another host. Fails if the host's data are not of this database, or are
    those of a later primary, or if the primary does not answer.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.db.rejoin db1.example.org
    """
    with naming_the_host():
        cluster = _cluster(node)
        if cluster is not None and cluster.node == cluster.primary:
            raise OperationValueError(
                f"node = {node!r}: is the primary in the inventory; allowed: a standby, see mail_db_primary"
            )
    if cluster is not None and cluster.site.here == cluster.node:
        _rejoin(cluster=cluster, name=f"Make {node} a standby")


@operation
def _rejoin(cluster: _Cluster) -> Generator[PyinfraCommand]:
    site = cluster.site
    primary = cluster.primary
    state = cluster.state(primary) if primary in cluster.peers else None
    if state is None or state["standby"]:
        raise OperationError(f"{primary.name} is no primary that answers")
    name = slot(site.here.name)
    if name not in state["slots"]:
        raise OperationError(
            f"{primary.name} has no slot for this host; allowed: deploy {primary.name} first"
        )
    version = read(PLATFORM).postgresql
    clusters = [each for each in read(CLUSTERS).clusters if (each.version, each.name) == (version, NAME)]
    if any(each.has("standby") for each in clusters):
        own = cluster.state()
        if own is None or own["following"]:
            host.noop("it is a standby already; deploy, if it does not run" if own is None else "it follows")
            return
    host.log(f"copy the data of {primary.name}")
    same = script("same_database", version, state["system"], str(state["timeline"]))
    yield shell(f"{same}\n{script('base_backup', version, conninfo(site), name)}")


def _cluster(node: str) -> _Cluster | None:
    """Return the hosts with the database, or ``None`` on a host without it.

    Raises ``OperationValueError`` if ``node`` is none of them.
    """
    site = _site()
    nodes = site.topology.database_nodes(site.settings)
    found = [each for each in nodes if each.name == node]
    if not found or len(nodes) == 1:
        names = ", ".join(each.name for each in nodes)
        raise OperationValueError(
            f"node = {node!r}: allowed: one of several hosts in the group db; there are: {names or 'none'}"
        )
    if node not in site.topology.reached:
        raise OperationError(f"{node} was not reached")
    return _Cluster(site, found[0]) if site.here in nodes else None


def _site() -> Site:
    settings = deployed_with() or Settings.from_data(host.data)
    return site_of(settings, hosts.checked(settings))
