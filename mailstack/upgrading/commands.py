"""The command ``mailstack.upgrade``."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Unpack

from pyinfra import logger
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import OperationError
from pyinfra.context import host

from mailstack import hosts
from mailstack.accounts.arguments import arguments_checked, true_or_false
from mailstack.components import mail_server
from mailstack.components.component import site_of
from mailstack.facts.platform import CLUSTERS, RELEASES
from mailstack.facts.reading import read
from mailstack.following import followed
from mailstack.garbage import not_collected
from mailstack.operation import local_command, naming_the_host, operation
from mailstack.operations.sql import deployed_with
from mailstack.run import current_host, is_executing, leave_out, run_script
from mailstack.settings import Settings
from mailstack.shell import script, shell, with_input
from mailstack.upgrading.checks import HostLook, backup_problem, check_topology, problems

if TYPE_CHECKING:
    from mailstack.components.component import Site
    from mailstack.deploys import GlobalArguments

UNIT = "mailstack-upgrade"
_CLUSTER = RELEASES[-1].postgresql


@arguments_checked("mailstack", "Upgrade")
def upgrade(
    *, without_backup: bool = False, with_troubles: bool = False, **pyinfras: Unpack[GlobalArguments]
) -> None:
    """Upgrade a host from Debian 12 to 13, with its database, and deploy and verify it then.

    Before anything is changed, it checks that there is room, that all packages are Debian's and none is held,
    the age of the backup, and what ``mailstack.status`` says. No mail is lost: what can't be accepted gets a
    4xx, and what can't be delivered waits. If the command is cut off, the next call goes on.

    + without_backup: whether a backup of the last day is not needed, as there is a snapshot
    + with_troubles: whether troubles that ``mailstack.status`` names are accepted

    Raises ``OperationValueError`` for an impossible argument or topology.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.upgrade
        pyinfra INVENTORY mailstack.upgrade without_backup=true
    """
    true_or_false(without_backup=without_backup, with_troubles=with_troubles)
    settings = deployed_with() or Settings.from_data(host.data)
    with naming_the_host(), not_collected():
        site = site_of(settings, hosts.checked(settings))
        check_topology(site)
        look = read(HostLook.of())
        if not look.begun and look.system == RELEASES[-1].system:
            host.log("it has Debian 13 already")
            return
        clusters = read(CLUSTERS)
        refusals = []
        if not look.begun:
            names = [str(each) for each in clusters.clusters]
            refusals = [*problems(look, names, f"{_CLUSTER}/main")]
            refusals += _state_problems(site, without_backup, with_troubles)
    for text in refusals:
        host.log_styled(text, fg="red", log_func=logger.error)
    if refusals:
        leave_out("it is not upgraded, and nothing was changed: see above")
    before = clusters.for_mail
    _part(part="packages", cluster=before, name="Upgrade Debian")
    mail_server.deploy(settings)
    _part(part="cluster", cluster=before, name="Move the database")
    mail_server.deploy(settings)
    if not settings.mail_verify:
        from mailstack.verify import at_the_end

        at_the_end(settings)
    _ended(name="End the upgrade")


def _state_problems(site: Site, without_backup: bool, with_troubles: bool) -> list[str]:
    """Return what ``mailstack.status`` says against an upgrade."""
    from mailstack.overview.gathering import Wishes, screen  # it takes time to import, and no deploy needs it

    found = screen(site, Wishes())
    backup: Any = next((each.data for each in found.sections if each.name == "backup"), None)
    wrong = None
    if not without_backup:
        wrong = backup_problem(backup is not None, backup and backup["good"], found.at)
    troubles = [] if with_troubles else found.troubles
    return [
        *([wrong] if wrong else []),
        *(f"{name}: {text}; allowed: no trouble, or option with_troubles" for name, (text, _) in troubles),
    ]


@operation
def _part(part: str, cluster: str) -> Generator[PyinfraCommand]:
    def go_on() -> None:
        begin = with_input(script("upgrade_begin", part, cluster), program())
        if not (said := run_script(current_host(), begin)).succeeded:
            raise OperationError(f"the upgrade can't begin: {' '.join(said.errors.split())}")
        result = followed(UNIT, "upgrade", f"/run/{UNIT}")
        if result.get("failed"):
            again = "fix that, and call mailstack.upgrade again: it goes on from there"
            raise OperationError(f"{'; '.join(map(str, result['failed']))}; {again}")

    yield local_command(go_on)


def program() -> str:
    """Return the program of the unit, which gives it its arguments."""
    return "\n".join(script(name).partition("\n")[2] for name in ("brought", "upgrade"))


@operation
def _ended() -> Generator[PyinfraCommand]:
    if is_executing():
        host.log(
            f"Debian 13 and PostgreSQL {_CLUSTER}. Reboot into the new kernel. docs/upgrading.md says how to "
            "go back, and how to remove the old cluster of PostgreSQL, which is switched off"
        )
    yield shell(": > /var/lib/mailstack/upgrade/ended")
