"""The database that a mail host had, and would leave for one that knows none of its users."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationError

from mailstack import hosts
from mailstack.components.component import Requirement
from mailstack.facts.clusters import NAME
from mailstack.facts.platform import CLUSTERS
from mailstack.facts.reading import announce, read

if TYPE_CHECKING:
    from mailstack.components.component import Site
    from mailstack.facts.platform import Clusters
    from mailstack.topology import Node


def of_mail_host(site: Site) -> list[Requirement]:
    """Return the requirement that a mail host does not leave a database in use for another host's."""
    if site.runs_database or site.endpoint.is_local:
        return []
    return [Requirement(CLUSTERS, lambda found: problem(site, site.here, found))]


def of_clients(site: Site) -> list[Requirement]:
    """Return the same requirement for the host with the database, about the mail hosts that would ask it.

    Otherwise it would get an empty database, and could not become the standby of the mail host any more.
    """
    if not site.runs_primary:
        return []
    topology = site.topology
    asking = [
        node
        for node in topology.nodes
        if node.has_mail and not node.has_role("db") and not node.database
        if node.name in topology.reached
        if site.here in topology.of(node).database_nodes(site.settings)
    ]
    return [Requirement(CLUSTERS, lambda _: _of_others(site, asking))] if asking else []


def problem(site: Site, node: Node, found: Clusters) -> str | None:
    """Return the error for a mail host whose own cluster has data that nothing would ask for any more.

    + node: the mail host
    + found: its clusters
    """
    for cluster in found.clusters:
        in_use = cluster.has("binaries", "ours", "starts", "used") and not cluster.has("standby")
        if cluster.name == NAME and in_use:
            setting, other, allowed = _instead(site, node)
            return (
                f"{setting}: the PostgreSQL cluster {cluster} of {node.name} has a mail database in use; "
                f"{node.name} would ask {other} instead, and refuse (550) all mail to users who are not "
                f"there; allowed: {allowed}; or, if that database has moved by other means or is not "
                f"needed, first on {node.name}: rm /etc/postgresql/{cluster}/conf.d/mailstack.conf"
            )
    return None


def _instead(site: Site, node: Node) -> tuple[str, str, str]:
    """Return the setting that leads to another database, the host with that one, and what is allowed."""
    owner = site.topology.database_node(site.settings)
    if owner is not None:
        moved = (
            f"{node.name} in the group db too, until mailstack.db.promote {owner.name} has moved it: see "
            "From one host to two in docs/several-hosts.md"
        )
        return "db", owner.name, moved
    setting = "mail_db_host" if site.settings.mail_db_dsn is None else "mail_db_dsn"
    return setting, site.endpoint.host, f"no {setting}"


def _of_others(site: Site, nodes: list[Node]) -> str | None:
    """Return the problems of these hosts. One that can't be asked is left out of the run by itself."""
    said = []
    for node in nodes:
        host = hosts.host_of(node)
        announce(CLUSTERS, of=host)  # the reading counts as one that was announced
        with suppress(OperationError):
            said.append(problem(site, node, read(CLUSTERS, host)))
    return "; ".join(filter(None, said)) or None
