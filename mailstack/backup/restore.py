"""The command ``mailstack.restore``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Unpack

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack import addresses, hosts
from mailstack.accounts.arguments import arguments_checked, true_or_false
from mailstack.accounts.password_source import password_source
from mailstack.backup.commands import has_backups
from mailstack.backup.printed import brought_back
from mailstack.components import mail_server
from mailstack.components.backup import RESTORE, RUN
from mailstack.components.component import site_of
from mailstack.following import followed
from mailstack.operation import local_command, operation
from mailstack.operations.sql import deployed_with
from mailstack.record import record
from mailstack.settings import Settings
from mailstack.shell import script, shell

if TYPE_CHECKING:
    from mailstack.deploys import GlobalArguments


@arguments_checked("mailstack", "Restore")
def restore(
    *,
    at: str | None = None,
    user: str | None = None,
    folder: str | None = None,
    password_from: str | None = None,
    overwrite: bool = False,
    **pyinfras: Unpack[GlobalArguments],
) -> None:
    """Bring back a whole backup onto a host that was deployed, and deploy it again with what is back.

    With ``user``, bring back the mail of that user alone, and change nothing else. A user without mail gets
    it as it was. Otherwise it goes into a folder of the user, ``Restored DATE ID``.

    + at: the ID of a backup, as ``mailstack.backup.list`` prints it; by default the last one
    + user: the address of a user
    + folder: one folder of the user, by default all
    + password_from: the source of the repository's password, if it is not in ``mail_backup_password`` and
      this is another host than that of the backup: ``env:NAME``, ``file:PATH``, ``stdin`` or ``prompt``
    + overwrite: whether mail that the host has is put aside, in ``.before-restore`` beside it, and a database
      with other users replaced, of which a dump is kept

    Raises ``OperationValueError`` for an impossible argument.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.restore
        pyinfra INVENTORY mailstack.restore user=bob@example.org folder=INBOX
    """
    if isinstance(at, float):  # pyinfra's command line makes a number of it: 1234e567
        raise OperationValueError("at: write the ID in two pairs of quotes, as in at='\"1234e567\"'")
    if at is not None and not re.fullmatch("[0-9a-f]{4,64}", str(at)):
        raise OperationValueError(f"at = {at!r}: allowed: the ID of a backup, see mailstack.backup.list")
    true_or_false(overwrite=overwrite)
    if folder is not None and user is None:
        raise OperationValueError("folder: needs user, whose folder it is")
    if user is not None and overwrite:
        raise OperationValueError("overwrite: not with user, whose mail stays")
    email = _address(user) if user is not None else ""
    if not has_backups():
        return
    settings = deployed_with() or Settings.from_data(host.data)
    if password_from is not None and settings.mail_backup_password is not None:
        raise OperationValueError("password_from: mail_backup_password has it already; allowed: one of both")
    password = password_source(password_from, "the repository") if password_from is not None else None
    wishes = {"at": at or "", "overwrite": overwrite, "user": email, "folder": _folder(folder or "")}
    if email and not site_of(settings, hosts.checked(settings)).here.has_mail:
        host.log("the mail is on another host")
        return
    what = f"the mail of {email}" if email else "the backup"
    _restore(wishes=json.dumps(wishes), password=password, name=f"Bring back {what}")
    if not user:
        mail_server.deploy(settings)


def _address(user: str) -> str:
    """Return the address as the database has it."""
    try:
        email = addresses.address_key(str(user))
    except ValueError as error:
        raise OperationValueError(f"user = {user!r}: {error}") from None
    if set("*?") & set(email):
        raise OperationValueError(f"user = {user!r}: doveadm would take * or ? for any letters")
    return email


def _folder(name: str) -> str:
    """Return the name of a folder. Raises ``OperationValueError`` for what is a pattern to doveadm."""
    if set("*?") & set(name):
        raise OperationValueError(f"folder = {name!r}: allowed: the name of one folder, without * and ?")
    return name


@operation
def _restore(wishes: str, password: Callable[[], str] | None) -> Generator[PyinfraCommand]:
    again = "" if json.loads(wishes)["user"] else ": deploy once more"
    given = password() if password is not None else None
    yield shell(script("restore_begin", wishes, "" if given is None else "given"), given)

    def bring() -> None:
        result = followed(RESTORE, "restore", RUN)
        if result.get("failed"):
            said = "; ".join(map(str, result["failed"][:5]))
            if "snapshot" not in result:
                raise OperationError(said)
            host.log(brought_back(result))
            raise OperationError(f"{said}; the rest is back{again}")
        host.log(brought_back(result))
        if given is not None:  # for mailstack.status: a person has it
            record("backup-password", [])

    yield local_command(bring)
