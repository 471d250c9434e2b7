"""Impossible combinations of hosts in an inventory, found before any of them is touched. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from pyinfra.api.exceptions import OperationValueError

from mailstack.settings.database import DatabaseSettings
from mailstack.settings.errors import SettingsError

if TYPE_CHECKING:
    from mailstack.settings import Settings
    from mailstack.topology import Node, Role, Topology


class _Server(NamedTuple):
    """A mail database that ``mail_db_dsn`` or ``mail_db_host`` names."""

    host: str
    port: int
    database: str


def check(settings: Settings, topology: Topology) -> None:
    """Check that the hosts of the inventory can work together in their roles.

    + settings: the settings of the topology's host

    Raises ``OperationValueError`` for these cases: no host has the mailboxes, or none receives mail. Several
    mail hosts have the same database by accident, or would be open to strangers. A host can't reach its
    database, would ask another one, or does not have a password. Mail to delete is on another host.
    """
    for node in topology.nodes:
        if node.has_role("mx") and not (node.has_role("imap") or node.has_role("proxy")):
            raise OperationValueError(
                f"{node.name} would receive mail and have no mailboxes, {node.because} alone; allowed: "
                f"{node.name} in the group imap too, or in proxy, which passes mail and logins on to the "
                "hosts in imap"
            )
    _proxies(topology)
    _one_primary(settings, topology)
    sharing = list(mail_nodes(settings, topology))
    _mail_hosts(settings, topology, sharing)
    _replicable(settings, topology)
    alike: dict[tuple[Role, ...], Node] = {}
    for node in sharing:
        alike.setdefault(node.groups, node)
    for node in alike.values():
        topology.of(node).database_endpoints(settings)
    _own_database_asked(settings, topology.here)
    _passwords_known(settings, topology.here)
    _mail_deletable(settings, topology)


def _proxies(topology: Topology) -> None:
    """Check that hosts of ``proxy`` have hosts with mailboxes: others may have a group of that name."""
    names = [node.name for node in topology.nodes if "proxy" in node.groups]
    if names and not any("imap" in node.groups for node in topology.nodes):
        raise OperationValueError(
            f"proxy: {' and '.join(names)} would pass mail and logins on to hosts in the group imap, and it "
            "has none; allowed: a group imap, or another name for a group that is about something else"
        )


def _mail_hosts(settings: Settings, topology: Topology, sharing: Sequence[Node]) -> None:
    """Check that the mail hosts of a server can share the users."""
    roles: tuple[tuple[Role, str], ...] = (("imap", "has the mailboxes"), ("mx", "receives mail"))
    for role, missing in roles:
        if sharing and not any(node.has_role(role) for node in sharing):
            node = sharing[0]
            raise OperationValueError(
                f"no host of the server {missing}, {node.because} alone; allowed: {node.name}, or another "
                f"host, in the group {role}"
            )
    if len(sharing) < 2:
        return
    if topology.database_node(settings) is None or not all(node.groups for node in sharing):
        raise OperationValueError(
            f"{' and '.join(node.name for node in sharing)} would have the same mailboxes, "
            f"{_reason(settings, topology, sharing)}; mail would lie on the host that received it, where its "
            "owner may not look; allowed: one mail host for each database, or several in the groups mx, imap "
            "and proxy, with the host of their database in db"
        )
    if topology.here in sharing and topology.here.has_role("imap") and not settings.mail_firewall:
        raise OperationValueError(
            f"mail_firewall = False: {topology.here.name} takes mail of other hosts without a login, "
            f"{topology.here.because}, and {len(sharing)} mail hosts have one database; allowed: True, so "
            "that no stranger reaches that port"
        )
    if settings.mail_shared_folders:
        raise OperationValueError(
            f"mail_shared_folders = True: {len(sharing)} mail hosts have one database, and no user would see "
            "a folder of a user on another host; allowed: False"
        )
    for node in sharing:
        _ = node.reachable_at


def does_accounts(settings: Settings, topology: Topology) -> bool:
    """Return whether account operations for this host's database run on this host.

    + settings: the settings of the topology's host

    Raises ``OperationValueError`` if they run on no host of this run, as doing nothing would look like
    success.
    """
    here, reached = topology.here, topology.reached
    if settings.mail_db_dsn is not None:
        # any host is suitable: the machine that runs pyinfra connects to the database
        server = _server(settings)
        alike = (node for node in topology.nodes if node == here or _server_of(node) == server)
        return next(node for node in alike if node == here or node.name in reached) == here
    owner = topology.database_node(settings)
    if owner == here or (owner is None and here.has_role("db")):
        return True
    if owner is not None and owner.name not in reached:
        raise OperationValueError(topology.not_reached(owner))
    if owner is None and not any(node.has_role("db") and node.name in reached for node in topology.nodes):
        raise OperationValueError(
            f"mail_db_host: no host of this run has the database on {settings.mail_db_host}, which "
            f"{here.name} uses {here.because}; allowed: a run with a host in the group db, or mail_db_dsn"
        )
    return False


def mail_nodes(settings: Settings, topology: Topology) -> Iterator[Node]:
    """Find the hosts that receive mail for the accounts in the database of the current one."""
    server = _server(settings)
    own = topology.database_nodes(settings)
    owner = next(iter(own), None)
    asked: tuple[Node, ...] = ()  # by each host that has no database
    for node in topology.nodes:
        if not node.has_mail:
            continue
        if node == topology.here:
            shares = True
        elif server is not None:
            shares = _server_of(node) == server
        elif node.has_role("db"):  # the usual case, in which no other host's data is read
            shares = node in own
        elif _server_of(node):
            shares = False
        else:
            asked = asked or topology.of(node).database_nodes(settings)
            shares = asked[0] == owner
        if shares:
            yield node


def _server(settings: DatabaseSettings) -> _Server | None:
    if (endpoint := settings.db_endpoint) is not None:
        return _Server(endpoint.host, endpoint.port, settings.mail_db_name)
    if settings.mail_db_host is not None:
        return _Server(settings.mail_db_host, settings.db_port, settings.mail_db_name)
    return None


def _server_of(node: Node) -> _Server | None:
    """Return the server that the inventory names for another host."""
    if not node.database:
        return None
    data: dict[str, Any] = dict(node.database)
    try:
        return _server(DatabaseSettings(**data))
    except SettingsError as error:
        raise SettingsError(error.problems, node.name) from None


def _one_primary(settings: Settings, topology: Topology) -> None:
    """Check that all hosts with one database, and those that ask it, agree on its primary."""
    group = topology.group
    if len(group) < 2 or settings.mail_db_dsn is not None or settings.mail_db_host is not None:
        return
    asking = [] if topology.here.has_role("db") else [topology.here]
    first, *others = (*group, *asking)
    for node in others:
        if node.primary != first.primary:
            raise OperationValueError(
                f"mail_db_primary: {first.name} has {first.primary!r}, and {node.name} {node.primary!r}; "
                "allowed: the same for all hosts"
            )


def _replicable(settings: Settings, topology: Topology) -> None:
    """Check that the database can have standbys, if the inventory has hosts for them."""
    nodes = topology.database_nodes(settings)
    if len(nodes) < 2:
        return
    names = ", ".join(node.name for node in nodes)
    for name, allowed in (("mail_db_engine", "postgresql"), ("mail_db_auth", "password")):
        if (value := getattr(settings, name)) != allowed:
            raise OperationValueError(
                f"{name} = {value!r}: the group db has {len(nodes)} hosts ({names}), and a standby needs "
                f"{allowed!r}; allowed: {allowed!r}, or one host in the group db"
            )
    for node in nodes:
        _ = node.reachable_at


def _own_database_asked(settings: Settings, here: Node) -> None:
    """Check that a host with a database uses it, as accounts are created in it."""
    other = settings.mail_db_host
    if other is None or not (here.has_role("db") and here.has_mail):
        return
    names = ("localhost", here.name, settings.mail_hostname, settings.mail_address)
    if other not in names and not re.fullmatch(r"127\..*|::1", other):
        raise OperationValueError(
            f"mail_db_host = {other!r}: {here.name} has a database of its own, {here.because}, and "
            f"nothing would ask it; allowed: {here.name} in mx and imap alone, or no mail_db_host"
        )


def _passwords_known(settings: Settings, here: Node) -> None:
    """Check for passwords with ``mail_db_host``, as no host of the inventory keeps generated ones."""
    if settings.mail_db_host is None or here.has_role("db"):
        return
    needed = ["mail_db_lookup_password"]
    needed += ["mail_db_upgrade_password"] if settings.mail_password_upgrade else []
    needed += ["mail_db_webmail_password"] if settings.mail_webmail else []
    for name in needed:
        if getattr(settings, name) is None:
            raise OperationValueError(
                f"{name}: is required where mail_db_host is set and {here.name} has no database of its own, "
                f"{here.because}"
            )


def _mail_deletable(settings: Settings, topology: Topology) -> None:
    """Check that mail to delete is on the host with the database, as accounts are deleted there."""
    deletes = settings.mail_accounts_policy == "authoritative" and settings.mail_accounts_delete_mail
    here = topology.here
    if deletes and here.has_role("db") and not here.has_mail and not topology.is_standby(settings):
        raise OperationValueError(
            f"mail_accounts_delete_mail: {here.name} deletes accounts and has no mail, {here.because} "
            "alone; allowed: False, or that host in the groups mx and imap too"
        )


def _reason(settings: Settings, topology: Topology, sharing: Sequence[Node]) -> str:
    for name in ("mail_db_dsn", "mail_db_host"):
        if getattr(settings, name) is not None:
            return f"because {name} is the same"
    owner = topology.database_node(settings) or topology.here
    return f"in the database of {owner.name}, " + " and ".join(node.because for node in sharing)
