"""The roles of an inventory's hosts, and their connections. Pure: ``mailstack.hosts`` makes it.

Inventory groups ``db``, ``mx``, ``imap`` and ``proxy`` name the roles; a host in none of them has all.
``mailstack.topology_rules`` refuses impossible combinations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from pyinfra.api.exceptions import OperationValueError

from mailstack.endpoint import Endpoint
from mailstack.replication import AUTHORITY

if TYPE_CHECKING:
    from mailstack.settings import Settings

Role = Literal["db", "mx", "imap", "proxy"]
ROLES: tuple[Role, ...] = ("db", "mx", "imap", "proxy")
MAIL_ROLES: tuple[Role, ...] = ("mx", "imap", "proxy")


@dataclass(frozen=True)
class Node:
    """A host of the inventory.

    + groups: its groups that name roles
    + address: the address for other hosts: ``mail_address``
    + database: its ``mail_db_…`` data, as given, if it names a server
    + weight: its share of new users among hosts with mailboxes: ``mail_backend_weight``, as given
    + primary: its ``mail_db_primary``, as given
    + hostname: its ``mail_hostname``, as given
    """

    name: str
    groups: tuple[Role, ...] = ()
    address: str | None = None
    database: Mapping[str, object] = field(default_factory=dict, hash=False, repr=False)
    weight: object = None
    primary: object = None
    hostname: object = None

    def has_role(self, role: Role) -> bool:
        """Return whether the inventory gives it this role."""
        return role in (self.groups or ROLES)

    @property
    def has_mail(self) -> bool:
        """Whether Postfix and Dovecot run on it."""
        return any(self.has_role(role) for role in MAIL_ROLES)

    @property
    def because(self) -> str:
        """The reason for its roles, as the end of a sentence in a message."""
        if not self.groups:
            return f"because {self.name} is in none of the groups {', '.join(ROLES)}, which means in all"
        listed = " and ".join(self.groups)
        return f"because {self.name} is in the group{'s' if len(self.groups) > 1 else ''} {listed}"

    @property
    def reachable_at(self) -> str:
        """Its address. Raises ``OperationValueError`` if the inventory has none."""
        if self.address:
            return self.address
        raise OperationValueError(
            f"mail_address: {self.name} has none, and other hosts talk to it, {self.because}; allowed: its "
            "IP address"
        )


@dataclass(frozen=True)
class Topology:
    """All hosts of an inventory, as seen from one of them.

    + reached: the names of the hosts to which this run is connected
    """

    here: Node
    nodes: tuple[Node, ...]
    reached: frozenset[str] = frozenset()

    @cached_property
    def group(self) -> tuple[Node, ...]:
        """The hosts in the group ``db``, in the order of the inventory."""
        return tuple(node for node in self.nodes if "db" in node.groups)

    def of(self, node: Node) -> Topology:
        """Return the same inventory, seen from another host."""
        other = Topology(node, self.nodes, self.reached)
        # each host looks at all others: with hundreds of them, to find the group again would take a minute
        vars(other)["group"] = self.group
        return other

    def database_nodes(self, settings: Settings) -> tuple[Node, ...]:
        """Return the hosts with the database: the primary, then its standbys; none for a server outside.

        Several hosts in the group ``db`` have one database, with ``mail_db_primary`` or the first of them as
        its primary. But if all have mail too, and no setting names one, each is a server of its own.

        Raises ``OperationValueError`` if there is no host with the database, or if several may have it.
        """
        if settings.mail_db_dsn is not None or settings.mail_db_host is not None:
            return ()
        group = self.group
        primary = settings.mail_db_primary
        if primary is not None and primary not in (node.name for node in group):
            names = ", ".join(node.name for node in group) or "none"
            raise OperationValueError(
                f"mail_db_primary = {primary!r}: not in the group db, which has {names}; allowed: one of them"
            )
        is_one = primary is not None or not all(node.has_mail for node in group)
        if is_one and (self.here in group or not self.here.has_role("db")):
            return tuple(sorted(group, key=lambda node: node.name != (primary or group[0].name)))
        if self.here.has_role("db"):
            return (self.here,)
        # a host in no group may be no mail server at all, so it only counts if the group is empty
        candidates = group or [node for node in self.nodes if node.has_role("db")]
        if len(candidates) != 1:
            found = f": {', '.join(node.name for node in candidates)}" if candidates else ""
            raise OperationValueError(
                f"mail_db_host: {self.here.name} has no database of its own, {self.here.because}, and"
                f" {len(candidates)} hosts of the inventory have the role db{found}; allowed: one of them,"
                " mail_db_host, or mail_db_dsn"
            )
        return (candidates[0],)

    def database_node(self, settings: Settings) -> Node | None:
        """Return the host with the primary, or ``None`` for a server outside the inventory.

        Raises ``OperationValueError`` as ``database_nodes`` does.
        """
        return next(iter(self.database_nodes(settings)), None)

    def is_replicated(self, settings: Settings) -> bool:
        """Return whether the database of this host has standbys."""
        return len(self.database_nodes(settings)) > 1

    def is_standby(self, settings: Settings) -> bool:
        """Return whether this host has a standby."""
        return self.here in self.database_nodes(settings)[1:]

    def database_endpoints(self, settings: Settings) -> tuple[Endpoint, ...]:
        """Return the addresses of the database for lookups: a server on this host first.

        The others have the order of the inventory, so that no address changes with the primary.
        """
        if settings.db_endpoint is not None:
            return (settings.db_endpoint,)
        nodes = self.database_nodes(settings)
        if not nodes:
            return (Endpoint(settings.mail_db_host or "", settings.db_port),)
        replicated = len(nodes) > 1
        here = [_verified(local_endpoint(settings), replicated)]
        in_order = [node for node in self.group if node in nodes] or nodes
        others = [self._remote(node, settings, replicated) for node in in_order if node != self.here]
        return (*(here if self.here in nodes else ()), *others)

    def _remote(self, node: Node, settings: Settings, replicated: bool) -> Endpoint:
        """Return the address of another host's database."""
        for name, only_local, other in (
            ("mail_db_engine", settings.db_kind.only_local, "postgresql"),
            ("mail_db_auth", settings.mail_db_auth == "peer", "password"),
        ):
            if only_local:
                raise OperationValueError(
                    f"{name} = {getattr(settings, name)!r}: {self.here.name} has no database of its own, "
                    f"{self.here.because}; allowed: {other!r}, or that host in the group db too"
                )
        return _verified(Endpoint(node.reachable_at, settings.db_port), replicated)

    def database_clients(self, settings: Settings) -> list[str]:
        """Return the addresses of the other hosts that use this host's database for lookups."""
        return sorted(
            node.reachable_at
            for node in self.nodes
            if node != self.here and node.has_mail and self.here in self.of(node).database_nodes(settings)
        )

    def database_peers(self, settings: Settings) -> list[Node]:
        """Return the other hosts with the same database, if this host has it."""
        nodes = self.database_nodes(settings)
        return [node for node in nodes if node != self.here] if self.here in nodes else []

    def not_reached(self, node: Node) -> str:
        """Return the error for a host with the database that is not in the run."""
        return (
            f"{node.name} was not reached, and {self.here.name} needs its database {self.here.because}; "
            "allowed: a run that reaches both (a --limit must have both)"
        )


def _verified(endpoint: Endpoint, replicated: bool) -> Endpoint:
    """Return the address with a check of the server's certificate, if the server has one of our CA."""
    return endpoint._replace(sslmode="verify-full", sslrootcert=AUTHORITY) if replicated else endpoint


def local_endpoint(settings: Settings) -> Endpoint:
    """Return the address of a database on the same host, for Postfix and Dovecot."""
    # smtpd(8) in its chroot can't reach the database's socket
    by_address = settings.db_kind.by_address or settings.map_type == settings.db_driver
    if settings.mail_db_auth == "password" and by_address:
        return Endpoint("127.0.0.1", settings.db_port)
    return Endpoint(settings.db_kind.socket, settings.db_port)
