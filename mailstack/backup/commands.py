"""The commands ``mailstack.backup.now``, ``list``, ``check``, ``password`` and ``key``."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import TYPE_CHECKING, Unpack

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack.accounts.arguments import arguments_checked
from mailstack.backup.printed import as_json, as_text, made
from mailstack.components.acme_files import PROGRAM
from mailstack.components.backup import CHECK, CONFIGURATION, NAME, RUN, SSH_KEY
from mailstack.facts.files import FileTexts
from mailstack.facts.reading import read
from mailstack.following import followed
from mailstack.operation import local_command, naming_the_host, only_looks, operation
from mailstack.operations.sql import deployed_with
from mailstack.record import record
from mailstack.run import answer, current_host, leave_out, run_script
from mailstack.settings import Settings
from mailstack.shell import script

if TYPE_CHECKING:
    from mailstack.deploys import GlobalArguments

FORMATS = {"table": as_text, "json": as_json}


@arguments_checked("mailstack.backup", "Backup")
def now(**pyinfras: Unpack[GlobalArguments]) -> None:
    """Make a backup now, and wait for it; if this is cut off, it goes on, and the next call waits for it.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.backup.now
    """
    if has_backups():
        _now(name="Make a backup")


@operation
def _now() -> Generator[PyinfraCommand]:
    def make() -> None:
        result = followed(NAME, "backup", RUN)
        if result.get("failed"):
            raise OperationError("; ".join(map(str, result["failed"])))
        host.log(made(result))

    yield local_command(make)


@arguments_checked("mailstack.backup", "Backup")
def check(**pyinfras: Unpack[GlobalArguments]) -> None:
    """Check the repository and read a part of its data; fail if it is damaged.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.backup.check
    """
    if has_backups():
        _check(name="Check the backups")


@operation
def _check() -> Generator[PyinfraCommand]:
    def look() -> None:
        result = followed(CHECK, "backup-check", RUN)
        if result.get("failed"):
            raise OperationError("; ".join(map(str, result["failed"])))
        host.log("the repository is as it should be")

    yield local_command(look)


@arguments_checked("mailstack.backup", "Backup")
@only_looks
def list(  # the command's name; this module has no other use of the builtin
    *, format: str = "table", **pyinfras: Unpack[GlobalArguments]
) -> None:
    """Print the backups of a host, the newest first.

    + format: ``table`` or ``json``

    Raises ``OperationValueError`` for another format; fails if the repository can't be read.

    **Example:**

    .. code:: shell

        pyinfra -y INVENTORY mailstack.backup.list
    """
    if format not in FORMATS:
        raise OperationValueError(f"format = {format!r}: allowed: {', '.join(FORMATS)}")
    if not has_backups():
        return
    with naming_the_host():
        said = run_script(current_host(), script("backups", PROGRAM))
    if not said.succeeded:
        leave_out(" ".join(said.errors.split()) or "the backups can't be read")
    answer(FORMATS[format](host.name, json.loads(said.output)))


@arguments_checked("mailstack.backup", "Backup")
@only_looks
def password(**pyinfras: Unpack[GlobalArguments]) -> None:
    """Print the password of the repository: keep it elsewhere, as a restore onto a new host needs it.

    **Example:**

    .. code:: shell

        pyinfra -y INVENTORY mailstack.backup.password
    """
    if not has_backups():
        return
    with naming_the_host():
        place = _configured("password")
        found = read(FileTexts.of([place])).get(place, "").strip()
    if not found:
        leave_out("there is no password yet: a deploy makes it")
    answer(f"{found}\n")
    record("backup-password", [])


@arguments_checked("mailstack.backup", "Backup")
@only_looks
def key(**pyinfras: Unpack[GlobalArguments]) -> None:
    """Print the public key of SSH with which a host reaches its repository.

    **Example:**

    .. code:: shell

        pyinfra -y INVENTORY mailstack.backup.key
    """
    if not has_backups():
        return
    path = f"{SSH_KEY}.pub"
    with naming_the_host():
        found = read(FileTexts.of([path])).get(path, "").strip()
    if not found:
        leave_out("there is no key: a deploy makes it, if mail_backup_repository begins with sftp:")
    answer(f"{found}\n")


def has_backups() -> bool:
    """Return whether the settings of the host ask for backups, and say so if they don't."""
    settings = deployed_with() or Settings.from_data(host.data)
    if settings.mail_backup_repository:
        return True
    host.log("there are no backups: mail_backup_repository is not set")
    return False


def _configured(name: str) -> str:
    text = read(FileTexts.of([CONFIGURATION])).get(CONFIGURATION)
    if not text:
        leave_out("there are no backups yet: a deploy sets them up")
    return str(json.loads(text)[name])
