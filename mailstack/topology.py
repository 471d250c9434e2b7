"""Which host of an inventory has which role, and whom it talks to. Pure: ``mailstack.hosts`` makes it.

Inventory groups ``db``, ``mx`` and ``imap`` name the roles; a host in none of them has all three. What the
hosts can't be for each other is in ``mailstack.topology_rules``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from pyinfra.api.exceptions import OperationValueError

from mailstack.endpoint import Endpoint
from mailstack.engines import engine_of

if TYPE_CHECKING:
    from mailstack.settings import Settings

Role = Literal["db", "mx", "imap"]
ROLES: tuple[Role, ...] = ("db", "mx", "imap")


@dataclass(frozen=True)
class Node:
    """A host, as the inventory has it.

    + groups: those that name roles
    + address: what other hosts reach it at: ``mail_address``
    + database: its data about a database, if that names a server: ``mail_db_…``, as given
    """

    name: str
    groups: tuple[Role, ...] = ()
    address: str | None = None
    database: Mapping[str, object] = field(default_factory=dict, hash=False, repr=False)

    def has_role(self, role: Role) -> bool:
        """Whether the inventory gives it this role."""
        return role in (self.groups or ROLES)

    @property
    def has_mail(self) -> bool:
        """Whether Postfix and Dovecot run on it."""
        return self.has_role("mx") or self.has_role("imap")

    @property
    def because(self) -> str:
        """The reason for its roles, to end a sentence with: whoever reads it may not know."""
        if not self.groups:
            return f"because {self.name} is in none of the groups {', '.join(ROLES)}, which means in all"
        listed = " and ".join(self.groups)
        return f"because {self.name} is in the group{'s' if len(self.groups) > 1 else ''} {listed}"

    @property
    def reachable_at(self) -> str:
        """Its address. Raises ``OperationValueError`` if the inventory does not say it."""
        if self.address:
            return self.address
        raise OperationValueError(
            f"mail_address: {self.name} has none, and other hosts talk to it, {self.because}; allowed: its "
            "IP address"
        )


@dataclass(frozen=True)
class Topology:
    """All hosts of an inventory, and the one that it is about.

    + reached: the names of those that this run is connected to
    """

    here: Node
    nodes: tuple[Node, ...]
    reached: frozenset[str] = frozenset()

    def of(self, node: Node) -> Topology:
        """Return the same inventory, seen from another host."""
        return Topology(node, self.nodes, self.reached)

    def database_node(self, settings: Settings) -> Node | None:
        """Return the host that runs the database, or ``None`` if somebody else's server does.

        Raises ``OperationValueError`` if the inventory has several: the settings must then name one.
        """
        if settings.mail_db_dsn is not None or settings.mail_db_host is not None:
            return None
        if self.here.has_role("db"):
            return self.here
        candidates = [node for node in self.nodes if node.has_role("db")]
        # one in no group may be no mail server at all; it is meant only if nobody was put into the group
        candidates = [node for node in candidates if "db" in node.groups] or candidates
        if len(candidates) != 1:
            found = f": {', '.join(node.name for node in candidates)}" if candidates else ""
            raise OperationValueError(
                f"mail_db_host: {self.here.name} has no database of its own, {self.here.because}, and"
                f" {len(candidates)} hosts of the inventory have the role db{found}; allowed: one of them,"
                " mail_db_host, or mail_db_dsn"
            )
        return candidates[0]

    def database_endpoint(self, settings: Settings) -> Endpoint:
        """Return where Postfix and Dovecot reach the database."""
        if settings.db_endpoint is not None:
            return settings.db_endpoint
        node = self.database_node(settings)
        if node is None:
            return Endpoint(settings.mail_db_host or "", settings.db_port)
        if node == self.here:
            return local_endpoint(settings)
        for name, only_local, other in (
            ("mail_db_engine", settings.db_kind.only_local, "postgresql"),
            ("mail_db_auth", settings.mail_db_auth == "peer", "password"),
        ):
            if only_local:
                raise OperationValueError(
                    f"{name} = {getattr(settings, name)!r}: {self.here.name} has no database of its own, "
                    f"{self.here.because}; allowed: {other!r}, or that host in the group db too"
                )
        return Endpoint(node.reachable_at, settings.db_port)

    def database_clients(self, settings: Settings) -> list[str]:
        """Return the addresses of the other hosts that look things up in the database of this one."""
        return sorted(
            node.reachable_at
            for node in self.nodes
            if node != self.here
            and not node.has_role("db")
            and self.of(node).database_node(settings) == self.here
        )

    def not_reached(self, node: Node) -> str:
        """Return what to say of the host with the database, if it is not in the run."""
        return (
            f"{node.name} was not reached, and {self.here.name} needs its database {self.here.because}; "
            "allowed: a run that reaches both (a --limit must have both)"
        )


def local_endpoint(settings: Settings) -> Endpoint:
    """Return where Postfix and Dovecot reach a database that runs on their own host."""
    # smtpd(8) in its chroot has no socket of the database
    by_address = settings.db_kind.by_address or settings.map_type == settings.db_driver
    if settings.mail_db_auth == "password" and by_address:
        return Endpoint("127.0.0.1", settings.db_port)
    return Endpoint(engine_of(settings).socket, settings.db_port)
