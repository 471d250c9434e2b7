"""The command ``mailstack.remove``."""

from __future__ import annotations

import posixpath
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Unpack

from pyinfra.api.command import StringCommand
from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack import hosts
from mailstack.accounts.arguments import arguments_checked
from mailstack.components import mail_server
from mailstack.components.component import site_of
from mailstack.facts.files import FileStates
from mailstack.facts.platform import PLATFORM
from mailstack.facts.reading import read
from mailstack.operation import naming_the_host, operation
from mailstack.operations.sql import deployed_with
from mailstack.removal.plan import ALL, Removal, removal, text
from mailstack.run import current_host, run_script
from mailstack.settings import Settings
from mailstack.shell import script, shell, with_input
from mailstack.text import lines_of

if TYPE_CHECKING:
    from mailstack.deploys import GlobalArguments
    from mailstack.facts.platform import Platform

CHOICES = {
    "keep": "it stays, for another deploy",
    "archive": "a file for root alone has it, and all of /etc, before it is deleted",
    "delete": "it is lost",
}
_PLACE = "/var/backups/mailstack"
_RECORD = "/var/lib/mailstack/"
"""What each deploy makes, and what is removed last."""


@arguments_checked("mailstack", "Remove")
def remove(
    *, component: str, data: str | None = None, to: str = _PLACE, **pyinfras: Unpack[GlobalArguments]
) -> None:
    """Give a host back: remove a component that the settings no longer ask for, or the whole mail server.

    Packages that deploys have installed are removed, files that they replaced come back, and services of
    packages that the host had before run with these. DNS records stay.

    + component: the name of a component, or ``all``
    + data: what becomes of mail, database, keys and passwords: ``keep``, ``archive`` or ``delete``
    + to: the directory of the archive

    Raises ``OperationValueError`` for a component that the settings ask for, naming those that need it, and
    without ``data``, naming what there is.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.remove component=webmail data=keep
        pyinfra INVENTORY mailstack.remove component=all data=archive
    """
    if data is not None and data not in CHOICES:
        raise OperationValueError(f"data = {data!r}: allowed: {_choices()}")
    with naming_the_host():
        settings = deployed_with() or Settings.from_data(host.data)
        site, platform = site_of(settings, hosts.checked(settings)), read(PLATFORM)
        planned = removal(component, site, platform)
        _check_place(to, planned)
        if _RECORD not in read(FileStates.of([_RECORD])):
            host.log("nothing of mailstack is here")
            return
        if data is None:
            raise OperationValueError(_question(component, planned, platform))
    if component != ALL:
        mail_server.deploy(settings)  # what others say to the component must end first
    _remove(wishes=(component, data, to), planned=planned, name=f"Remove {component}")


def _choices() -> str:
    return "; ".join(f"data={name} ({text})" for name, text in CHOICES.items())


def _check_place(to: str, planned: Removal) -> None:
    """Raise ``OperationValueError`` if the archive would not outlive the removal."""
    if not to.startswith("/") or posixpath.normpath(to) != to or any(map(str.isspace, to)):
        raise OperationValueError(f"to = {to!r}: allowed: the absolute path of a directory")
    states = [each.path for component in planned.components for each in component.state(planned.full)]
    for place in ["/etc", "/usr", "/var/lib", "/run", "/tmp", *states]:
        if f"{to}/".startswith(f"{place}/"):
            raise OperationValueError(f"to = {to!r}: is in {place}, which may be removed; allowed: {_PLACE}")


def _question(component: str, planned: Removal, platform: Platform) -> str:
    """Return the error for a call without ``data``, with what there is."""
    program = _program("states", (component, "delete", _PLACE), planned, platform)
    said = run_script(current_host(), with_input(*program))
    if not said.succeeded:
        raise OperationError(" ".join(said.errors.split()) or "the state can't be read")
    there = "; ".join(lines_of(said.output)) or "there is none"
    return f"data: say what becomes of it ({there}); allowed: {_choices()}"


@operation
def _remove(wishes: Sequence[str], planned: Removal) -> Generator[StringCommand]:
    platform = read(PLATFORM)
    said = run_script(current_host(), with_input(*_program("look", wishes, planned, platform)))
    if not said.succeeded:
        raise OperationError(" ".join(said.errors.split()) or "the host can't be read")
    lines = lines_of(said.output)
    for line in [*lines, *(each for each in lines_of(said.errors) if each.startswith("# "))]:
        host.log(line)
    if not lines:
        host.noop("nothing of it is left")
        return
    yield shell(*_program("go", wishes, planned, platform))


def _program(mode: str, wishes: Sequence[str], planned: Removal, platform: Platform) -> tuple[str, str]:
    """Return the script, and the plan that it reads.

    + wishes: the arguments of ``remove.sh`` after the mode
    """
    ends = "".join(f"(\n{each}\n) || return 1\n" for each in planned.ends(platform))
    parts = [
        script("brought"),
        script("psql"),
        f"ends() {{\n{ends}return 0\n}}",
        script("remove", mode, *wishes),
    ]
    return "\n".join(parts), text(planned.lines(platform))
