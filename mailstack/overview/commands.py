"""The command ``mailstack.status``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from pyinfra.api.exceptions import OperationValueError
from pyinfra.context import host

from mailstack import hosts
from mailstack.accounts.arguments import arguments_checked, true_or_false
from mailstack.components.component import site_of
from mailstack.garbage import not_collected
from mailstack.operation import naming_the_host, only_looks
from mailstack.operations.sql import deployed_with
from mailstack.run import answer, leave_out
from mailstack.settings import Settings

if TYPE_CHECKING:
    from mailstack.deploys import GlobalArguments

FORMATS = ("table", "json")


@arguments_checked("mailstack", "Status")
@only_looks
def status(
    *, changes: bool = True, quotas: bool = False, format: str = "table", **pyinfras: Unpack[GlobalArguments]
) -> None:
    """Print the state of a host on one screen, on standard output, and fail if something needs a person.

    + changes: whether the host is compared with the settings of the inventory, as a deploy does it
    + quotas: whether Dovecot is asked about all users with a quota; by default if there are up to 500
    + format: ``table`` or ``json``

    Raises ``OperationValueError`` for another format.

    **Example:**

    .. code:: shell

        pyinfra -y INVENTORY mailstack.status
        pyinfra -y INVENTORY mailstack.status format=json
    """
    from mailstack.overview.gathering import Wishes, screen  # it takes time to import, and no deploy needs it

    if format not in FORMATS:
        raise OperationValueError(f"format = {format!r}: allowed: {', '.join(FORMATS)}")
    true_or_false(changes=changes, quotas=quotas)
    with naming_the_host(), not_collected():
        settings = deployed_with() or Settings.from_data(host.data)
        found = screen(site_of(settings, hosts.checked(settings)), Wishes(changes, quotas))
    answer(found.json() if format == "json" else found.text())
    if troubles := found.troubles:
        names = ", ".join(dict.fromkeys(name for name, _ in troubles))
        leave_out(f"{host.name} needs a person, see above: {names}")
