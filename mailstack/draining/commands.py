"""The command ``mailstack.drain``."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Unpack

from pyinfra.api.exceptions import OperationError
from pyinfra.context import host

from mailstack import hosts, topology_rules
from mailstack.accounts.arguments import arguments_checked
from mailstack.accounts.convert import ALL
from mailstack.accounts.move import carry, placed
from mailstack.backends import shares
from mailstack.draining.plan import Draining, checked, leaving, moves_to
from mailstack.facts.reading import forget
from mailstack.operation import local_command, naming_the_host, operation
from mailstack.operations.sql import deployed_with
from mailstack.queue.commands import moved
from mailstack.settings import Settings

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand

    from mailstack.deploys import GlobalArguments


@arguments_checked("mailstack", "Drain")
def drain(node: str, **pyinfras: Unpack[GlobalArguments]) -> None:
    """Take all users and all queued mail away from a host, so that it may be switched off.

    Users move as by ``mailstack.accounts.move``, to the hosts that ``mail_backend_weight`` gives them. Then
    Postfix is stopped there, and its queue moves as by ``mailstack.queue.rescue``. Before that, take the host
    out of the DNS, and set its ``mail_backend_weight`` to 0; after it, take it out of the inventory. A run
    that was killed or failed is continued by the next one.

    + node: the host, by its name in the inventory

    Raises ``OperationValueError`` for a host without which the others can't go on, or that new users or
    declared ones would come to. Fails if a user can't move; Postfix goes on there then.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.drain imap2.example.org
    """
    with naming_the_host():
        settings = deployed_with() or Settings.from_data(host.data)
        topology = hosts.checked(settings)
        draining = checked(settings, topology, str(node))
        if not topology_rules.does_accounts(settings, topology):
            return
    _drain(settings=settings, draining=draining, name=f"Drain {node}")


@operation
def _drain(settings: Settings, draining: Draining) -> Generator[PyinfraCommand]:
    topology, node, several = hosts.topology(), draining.node, draining.several
    declared = {user.email: user.backend for user in settings.mail_users if user.backend}
    users = placed(settings, ALL, several)
    moving = leaving(draining, users, shares(settings, topology), declared)
    for target in {user.target for user in moving}:
        if target.name not in topology.reached:
            raise OperationError(f"{target.name} was not reached, and mail moves to it")
    for user in moving:
        host.log(f"~ user {user.email}: backend {user.stored or user.source.name} -> {user.target.name}")
    host.log(f"~ queue of {node.name}: to {draining.heir.name}")

    def act() -> None:
        carry(settings, moving, several, delete_old=False)
        forget()  # the answer of before
        users = placed(settings, ALL, several)
        if left := [user.email for user in users if user.at == node or moves_to(user, node)]:
            raise OperationError(f"these came to {node.name} meanwhile: {', '.join(left)}; drain it again")
        moved(node, draining.heir)
        rest = "take it out of the inventory, deploy the others, and switch it off"
        host.log(f"{node.name} has no users and no queue: {rest}")

    yield local_command(act)
