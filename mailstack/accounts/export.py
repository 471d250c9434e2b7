"""Bring all that belongs to a user into one archive."""

from __future__ import annotations

import json
import posixpath
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, Unpack

from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack import addresses, hosts
from mailstack.accounts import mailbox_program, showing
from mailstack.accounts.arguments import command
from mailstack.accounts.convert import User, users_of
from mailstack.accounts.look import ask
from mailstack.components.component import site_of
from mailstack.facts.platform import PLATFORM
from mailstack.facts.reading import read
from mailstack.on_host import export_mail as program
from mailstack.operation import local_command, operation
from mailstack.operations.sql import deployed_with
from mailstack.settings import Settings

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand
    from pyinfra.api.operation import OperationMeta

    from mailstack.deploys import GlobalArguments


@command
def export(address: str, *, to: str, **pyinfras: Unpack[GlobalArguments]) -> OperationMeta:
    """Put all that belongs to a user into one archive on the host with the mail, which only root can read.

    It has ``Maildir`` (Maildir++, with flags, UIDs, keywords), the Sieve scripts, and ``account.json`` with
    what ``mailstack.accounts.show`` says: aliases, quota, rights. It has no password.

    + address: the user
    + to: the path of the new archive on that host, ending in ``.tar.gz``, where root alone can change files

    Raises ``OperationValueError`` for a malformed address or path; fails if there is no such user, or if the
    file exists.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.export alice@example.org to=/root/alice.tar.gz
    """
    try:
        email = addresses.address_key(str(address))
    except ValueError as error:
        raise OperationValueError(f"address = {address!r}: {error}") from None
    path = str(to)
    if path != posixpath.normpath(path) or not (
        path.startswith("/") and path.endswith(".tar.gz") and path.isprintable()
    ):
        raise OperationValueError(f"to = {to!r}: must be a path from the root that ends in .tar.gz")
    return _export(
        settings=deployed_with() or Settings.from_data(host.data),
        email=email,
        to=path,
        name=f"{email} to {path}",
    )


@operation
def _export(settings: Settings, email: str, to: str) -> Generator[PyinfraCommand]:
    if not site_of(settings, hosts.checked(settings)).here.has_mail:
        host.noop("the mail is on another host")
        return
    (user,) = users_of(settings, email)
    if user.obstacle:
        raise OperationError(f"{email}: {user.obstacle}")
    found = showing.Found.of(email, ask(settings, showing.queries(settings, email)), settings)
    generation = read(PLATFORM).dovecot

    def make() -> None:
        _exported(user, found.shown(), generation, to)

    yield local_command(make)


def _exported(user: User, account: dict[str, Any], generation: str, to: str) -> None:
    """Make the archive, and say what is in it. Raises ``OperationError`` if there is none."""
    plan = {
        "email": user.email,
        "home": user.home,
        "generation": generation,
        "account": json.dumps(account, indent=2),
        "archive": to,
    }
    done = mailbox_program.run("export", program, plan)
    said = " ".join((done.output if done.succeeded else done.errors or done.output).split())
    if not done.succeeded:
        raise OperationError(f"{user.email}: {said or 'it ended without a word'}")
    host.log(f"{user.email}: {said} in {to}")
