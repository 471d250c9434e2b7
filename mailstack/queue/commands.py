"""The command ``mailstack.queue.rescue``."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Unpack

from pyinfra import logger
from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack import hosts
from mailstack.accounts.arguments import arguments_checked
from mailstack.operation import local_command, naming_the_host, operation
from mailstack.operations.sql import deployed_with
from mailstack.queue.moving import from_directory, from_host
from mailstack.settings import Settings
from mailstack.topology_rules import mail_nodes

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand

    from mailstack.deploys import GlobalArguments
    from mailstack.topology import Node, Topology


@arguments_checked("mailstack.queue", "Queue")
def rescue(source: str, to: str, **pyinfras: Unpack[GlobalArguments]) -> None:
    """Move all mail in the queue of a host into the queue of another, which delivers it at once.

    What is on hold stays on hold, and what is to expire (``postsuper -e``) still does. A message has another
    ID in the other queue. On the host that loses its queue, Postfix is stopped until the next deploy,
    ``systemctl start postfix`` or a boot. A run that was killed is continued by the next one to the same
    host, and nothing is delivered twice by that. A server that has taken a message, and not yet answered as
    Postfix stops, gets it again.

    + source: the host that loses its queue, by its name in the inventory. Or the path of a directory on the
      host ``to``: ``/var/spool/postfix`` of a host that does not run any more, mounted, or copied with
      ``cp -a``. Nothing is changed there: start no Postfix with it, as it would deliver the same mail again
    + to: the host in the group ``mx`` that gets the mail, by its name in the inventory

    Raises ``OperationValueError`` for other hosts. Fails if a file in the queue is damaged, or can't be read;
    all others are moved.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.queue.rescue mx1.example.org mx2.example.org
        pyinfra INVENTORY mailstack.queue.rescue /mnt/var/spool/postfix mx2.example.org
    """
    with naming_the_host():
        settings = deployed_with() or Settings.from_data(host.data)
        topology = hosts.checked(settings)
        target = checked_target(settings, topology, str(to))
        origin = _source(settings, topology, str(source), target)
    if topology.here == target:
        _rescue(origin=origin, target=target, name=f"Queue of {source} to {to}")


@operation
def _rescue(origin: Node | str, target: Node) -> Generator[PyinfraCommand]:
    yield local_command(lambda: moved(origin, target))


def moved(origin: Node | str, target: Node) -> None:
    """Move a queue, and say how it went. Raises ``OperationError`` if something is left.

    + origin: a host, or the path of a spool directory on the target
    """
    if isinstance(origin, str):
        tally, where = from_directory(origin, target), origin
    else:
        tally = from_host(origin, target)
        where = f"/var/spool/postfix/mailstack-rescue of {origin.name}"
    for line in tally.lines():
        host.log(line)
    if isinstance(origin, str) and (tally.put or tally.known):
        host.log_styled(
            f"{origin} still has these messages: start no Postfix with it",
            fg="yellow",
            log_func=logger.warning,
        )
    if tally.left:
        raise OperationError(f"damaged or not readable, and left in {where}: {', '.join(tally.left[:20])}")


def checked_target(settings: Settings, topology: Topology, name: str) -> Node:
    """Return the host that gets a queue. Raises ``OperationValueError`` for one that can't."""
    allowed = [node for node in mail_nodes(settings, topology) if node.has_role("mx")]
    return _named(allowed, "to", name, topology)


def _source(settings: Settings, topology: Topology, name: str, target: Node) -> Node | str:
    if name.startswith("/"):
        return name
    allowed = [node for node in mail_nodes(settings, topology) if node != target]
    return _named(allowed, "source", name, topology, f", or the path of its spool directory on {target.name}")


def _named(allowed: list[Node], argument: str, name: str, topology: Topology, more: str = "") -> Node:
    found = next((node for node in allowed if node.name == name), None)
    if found is None:
        names = ", ".join(node.name for node in allowed) or "no host"
        raise OperationValueError(f"{argument} = {name!r}: allowed: {names}{more}")
    if name not in topology.reached:
        instead = f"; allowed: a run that reaches it{more}" if more else ""
        raise OperationError(f"{name} was not reached{instead}")
    return found
