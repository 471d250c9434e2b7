"""The topology of pyinfra's inventory: the only module that reads its hosts, groups and data for that."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mailstack.run import current_host
from mailstack.topology import ROLES, Node, Topology
from mailstack.topology_rules import check

if TYPE_CHECKING:
    from pyinfra.api.host import Host
    from pyinfra.api.inventory import Inventory

    from mailstack.settings import Settings

_nodes: WeakKeyDictionary[Inventory, dict[str, Node]] = WeakKeyDictionary()
_checked: WeakKeyDictionary[Host, tuple[Settings, Topology]] = WeakKeyDictionary()
"""The settings that passed the check, by host, because every component calls it."""


def topology() -> Topology:
    """Return the inventory, seen from the current host."""
    return topology_of(current_host())


def topology_of(host: Host) -> Topology:
    """Return the inventory, seen from ``host``."""
    inventory = host.inventory
    if inventory not in _nodes:
        _nodes[inventory] = {other.name: _node(other) for other in inventory}
    nodes = _nodes[inventory]
    reached = frozenset(other.name for other in inventory if other.connected)
    return Topology(nodes[host.name], tuple(nodes.values()), reached)


def checked(settings: Settings) -> Topology:
    """Return the inventory, seen from the current host.

    + settings: the settings of the current host

    Raises ``OperationValueError`` if the hosts can't work together in these roles.
    """
    host = current_host()
    before = _checked.get(host)
    if before and before[0] == settings:
        return before[1]
    found = topology_of(host)
    check(settings, found)
    _checked[host] = settings, found
    return found


def host_of(node: Node) -> Host:
    """Return pyinfra's host of a node, to read from."""
    return current_host().inventory.get_host(node.name)


def _node(host: Host) -> Node:
    names_server = host.data.get("mail_db_dsn") or host.data.get("mail_db_host")
    data: dict[str, Any] = host.data.dict() if names_server else {}  # type: ignore[no-untyped-call]
    address = host.data.get("mail_address")
    return Node(
        host.name,
        tuple(role for role in ROLES if role in host.groups),
        str(address) if address else None,
        {name: data[name] for name in data if name.startswith("mail_db_")},
        host.data.get("mail_backend_weight"),
        host.data.get("mail_db_primary"),
        host.data.get("mail_hostname"),
    )
