"""The command ``mailstack.remove``."""

from __future__ import annotations

import posixpath
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Unpack

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack import hosts
from mailstack.accounts.arguments import arguments_checked
from mailstack.components import mail_server
from mailstack.components.component import site_of
from mailstack.facts.files import FileStates
from mailstack.facts.platform import PLATFORM
from mailstack.facts.reading import read
from mailstack.following import shown
from mailstack.operation import local_command, naming_the_host, operation
from mailstack.operations.sql import deployed_with
from mailstack.removal.plan import ALL, Removal, removal, text
from mailstack.removal.users import elsewhere, problem, users_of
from mailstack.run import current_host, run_script
from mailstack.settings import Settings
from mailstack.shell import script, with_input
from mailstack.text import lines_of

if TYPE_CHECKING:
    from mailstack.deploys import GlobalArguments

CHOICES = {
    "keep": "it stays, for another deploy",
    "archive": "a file for root alone has it, and all of /etc, before it is deleted",
    "delete": "it is lost",
}
_PLACE = "/var/backups/mailstack"
_RECORD = "/var/lib/mailstack/"
"""What each deploy makes, and what is removed last."""
_PARTS = ("brought", "keep", "psql", "remove_database", "remove_state", "remove_files", "remove_packages")


@arguments_checked("mailstack", "Remove")
def remove(
    *, component: str, data: str | None = None, to: str = _PLACE, **pyinfras: Unpack[GlobalArguments]
) -> None:
    """Give a host back: remove a component that the settings no longer ask for, or the whole mail server.

    Packages that deploys have installed are removed, files that they replaced come back, and services of
    packages that the host had before run with these. DNS records stay.

    + component: the name of a component, or ``all``
    + data: what becomes of mail, database, keys and passwords: ``keep``, ``archive`` or ``delete``. Without
      it, the command names them, and removes nothing
    + to: the directory of the archive, an absolute path

    Raises ``OperationValueError`` for a component that the settings ask for, naming those that need it;
    without ``data``, naming what there is; and for mail to delete of users who live on this host, while other
    hosts of the server stay.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.remove component=webmail data=keep
        pyinfra INVENTORY mailstack.remove component=all data=archive
    """
    if data is not None and data not in CHOICES:
        raise OperationValueError(f"data = {data!r}: allowed: {_choices()}")
    if not is_directory(to):
        raise OperationValueError(f"to = {to!r}: allowed: the absolute path of a directory, without spaces")
    wishes = (component, data or "", to)
    settings = deployed_with() or Settings.from_data(host.data)
    site = site_of(settings, hosts.checked(settings))
    with naming_the_host():
        planned = removal(component, site, read(PLATFORM))
        if _RECORD not in read(FileStates.of([_RECORD])):
            host.log("nothing of mailstack is here")
            return
        mail = read(users_of(site)) if component == ALL else None
        stays = [*elsewhere(site, mail)] if data != "keep" else []
        there, _ = _run("describe", wishes, planned)
        if data is None:
            said = "; ".join([*there, *stays]) or "there is none"
            raise OperationValueError(f"data: say what becomes of it ({said}); allowed: {_choices()}")
        if component == ALL and data == "delete" and (why := problem(site, mail)):
            raise OperationValueError(f"data = {data!r}: {why}")
    if component != ALL:
        mail_server.deploy(settings)  # what others say to the component must end first
    _remove(wishes=wishes, planned=planned, stays=stays, name=f"Remove {component}")


def is_directory(path: str) -> bool:
    """Return whether a path can be the directory of an archive; the host says whether it would stay."""
    return path.startswith("/") and posixpath.normpath(path) == path and not any(map(str.isspace, path))


def _choices() -> str:
    return "; ".join(f"{name} ({text})" for name, text in CHOICES.items())


@operation
def _remove(wishes: Sequence[str], planned: Removal, stays: Sequence[str]) -> Generator[PyinfraCommand]:
    wanted, remarks = _run("look", wishes, planned)
    if not wanted:
        _log(remarks)
        host.noop("nothing of it is left")
        return
    _log([*wanted, *stays, *remarks])

    def go() -> None:
        with shown(current_host(), script("remove_progress")):
            _, told = _run("go", wishes, planned)
        _log([line for line in told if line not in remarks])

    yield local_command(go)


def _log(lines: Sequence[str]) -> None:
    for line in lines:
        host.log(line.removeprefix("# "))


def _run(mode: str, wishes: Sequence[str], planned: Removal) -> tuple[list[str], list[str]]:
    """Run the removal in a mode of ``remove_begin.sh``, and return its lines and its remarks.

    + wishes: the arguments of ``remove_begin.sh`` after the mode

    Raises ``OperationError`` if the host refuses or fails.
    """
    platform = read(PLATFORM)
    ends = "".join(f"(\n{each}\n) || return 1\n" for each in planned.ends(platform))
    parts = [
        script("remove_begin", mode, *wishes),
        *map(script, _PARTS),
        f"ends() {{\n{ends}return 0\n}}",
        script("remove"),
    ]
    said = run_script(current_host(), with_input("\n".join(parts), text(planned.lines(platform))))
    errors = lines_of(said.errors)
    if not said.succeeded:
        reasons = [line for line in errors if not line.startswith("# ")]
        raise OperationError(
            " ".join(reasons[-5:]) or f"the host can't be asked: {mode} ended without a word"
        )
    return lines_of(said.output), [line for line in errors if line.startswith("# ")]
