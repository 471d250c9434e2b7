"""What a drained host leaves to which hosts, and why it may not be drained. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pyinfra.api.exceptions import OperationError, OperationValueError

from mailstack.accounts.move import Moving, Placed
from mailstack.backends import Backends, backends, chosen, shares

if TYPE_CHECKING:
    from mailstack.settings import Settings
    from mailstack.topology import Node, Topology


class Draining(NamedTuple):
    """A host that loses its users and its queue.

    + heir: the host that gets the queue
    """

    node: Node
    heir: Node
    several: Backends


def checked(settings: Settings, topology: Topology, name: str) -> Draining:
    """Return what a drained host leaves to whom.

    Raises ``OperationValueError`` if the others can't go on without it, and ``OperationError`` if a host that
    takes part was not reached.
    """
    several = backends(settings, topology)
    if several is None:
        raise OperationValueError(f"node = {name!r}: this server has one mail host; allowed: several")
    node = next((each for each in several.mail_hosts if each.name == name), None)
    if node is None:
        names = ", ".join(each.name for each in several.mail_hosts)
        raise OperationValueError(f"node = {name!r}: is no mail host of this server; allowed: {names}")
    if node == topology.database_node(settings):
        raise OperationValueError(f"node = {name!r}: has the database; allowed: first mailstack.db.promote")
    heirs = [each for each in several.mail_hosts if each != node and each.has_role("mx")]
    for role, others in (("mx", heirs), ("imap", [each for each in several.nodes if each != node])):
        if not others:
            raise OperationValueError(f"node = {name!r}: no other host is in the group {role}")
    reached = [each for each in heirs if each.name in topology.reached]
    if name not in topology.reached or not reached:
        missing = name if name not in topology.reached else ", ".join(each.name for each in heirs)
        raise OperationError(f"{missing} was not reached; allowed: a run that reaches it")
    if share := shares(settings, topology).get(name):
        raise OperationValueError(
            f"mail_backend_weight = {share} of {name}: new users would come to it; allowed: 0"
        )
    declared = [user.email for user in settings.mail_users if user.backend == name]
    if declared:
        raise OperationValueError(
            f"mail_users: {declared[0]} has backend = {name!r}; allowed: another host, or none"
        )
    return Draining(node, reached[0], several)


def leaving(
    draining: Draining, users: Sequence[Placed], weights: Mapping[str, int], declared: Mapping[str, str]
) -> list[Moving]:
    """Return the moves that leave no user on the host.

    + users: all users
    + weights: see ``backends.shares``
    + declared: the hosts that the settings give users

    Raises ``OperationError`` if there are users on it that can't move.
    """
    nodes = {node.name: node for node in draining.several.nodes}
    on_it = [user for user in users if user.at == draining.node]
    if fixed := [user.email for user in on_it if not user.can_move]:
        raise OperationError(
            f"can't move, as they are disabled or have * or ? in their address: {', '.join(fixed)}; allowed: "
            "option active for them, or without them"
        )
    found = []
    for user in on_it:
        target = declared.get(user.email) or chosen(user.email, weights)
        if target not in nodes:
            raise OperationError(f"{user.email}: backend = {target!r}; allowed: {', '.join(nodes)}")
        found.append(Moving(user.email, user.home, user.stored, user.at, nodes[target]))
    # a killed run has begun to move these to it: they stay where they are
    back = [user for user in users if user.at != draining.node and moves_to(user, draining.node)]
    return [*found, *(Moving(user.email, user.home, user.stored, user.at, user.at) for user in back)]


def moves_to(user: Placed, node: Node) -> bool:
    """Return whether a move of a user to a host has begun and not ended."""
    return (user.stored or "").endswith(f">{node.name}")
