"""Bring the mail of users from another server."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Unpack

from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack import hosts
from mailstack.accounts import mailbox_program
from mailstack.accounts.arguments import command, true_or_false
from mailstack.accounts.convert import ALL, User, users_of, wanted_users
from mailstack.accounts.mail_source import Login, Source, expanded, logins_in
from mailstack.accounts.password_source import password_source
from mailstack.components.component import site_of
from mailstack.facts.platform import PLATFORM
from mailstack.facts.reading import read
from mailstack.on_host import import_mail as program
from mailstack.operation import local_command, operation
from mailstack.operations.sql import deployed_with
from mailstack.settings import Settings

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand
    from pyinfra.api.operation import OperationMeta

    from mailstack.deploys import GlobalArguments


class Logins(NamedTuple):
    """The logins at the other server.

    + of: a function that returns a user's, if it has one
    + listed: the users in the file of logins
    """

    of: Callable[[str], Login | None]
    listed: frozenset[str] = frozenset()


@command
def import_mail(
    users: str,
    *,
    source: str,
    login: str | None = None,
    password_from: str | None = None,
    logins: str | None = None,
    exclude: list[str] | None = None,
    tls_verify: bool = True,
    **pyinfras: Unpack[GlobalArguments],
) -> OperationMeta:
    """Bring the mail of existing users from another server, one after the other, while mail arrives.

    Folders, flags, keywords and dates stay, and quotas don't count meanwhile. Nothing is changed in the
    source, and nothing is deleted here. What is here already is not brought again: so the next run continues
    one that was interrupted, and brings what has come since then.

    + users: an address, a domain, or ``all``
    + source: ``imaps://HOST``, ``imap://HOST`` (STARTTLS), or, on the host with the mail, ``maildir:/PATH``
      or ``mbox:/PATH``, a file or a directory of files. In a path, ``%u`` is the address, ``%n`` its local
      part and ``%d`` its domain
    + login: the login at the other server, by default ``%u``; such as ``%u*master`` for a master user
    + password_from: ``env:NAME``, ``file:PATH``, ``stdin`` or ``prompt``, on the machine that runs pyinfra
    + logins: instead of both, a file there with lines ``ADDRESS,LOGIN,PASSWORD``; others are left out
    + exclude: folders that are left out, such as ``["[Gmail]/All Mail"]``
    + tls_verify: whether the other server's certificate is checked

    Raises ``OperationValueError`` for an impossible source, an unknown user, or a login that does not fit.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.import_mail all source=imaps://old.example.net logins=old.csv
    """
    true_or_false(tls_verify=tls_verify)
    wanted, place = wanted_users(users), Source.parse(str(source))
    for text in (str(source) if place.kind != "imap" else "", login or ""):
        expanded(text, "user@example.org")
    left_out = [exclude] if isinstance(exclude, str) else [str(folder) for folder in exclude or ()]
    known = _logins(place, wanted, login, password_from, logins)
    if place.kind != "imap" and not tls_verify:
        raise OperationValueError(
            f"tls_verify is about IMAP, and the source is {place.kind}; allowed: leave it out"
        )
    return _import_mail(
        settings=deployed_with() or Settings.from_data(host.data),
        wanted=wanted,
        source=place,
        logins=known,
        exclude=left_out,
        tls_verify=tls_verify,
        name=f"Mail of {wanted} from {source}",
    )


def _logins(
    source: Source, wanted: str, login: str | None, password_from: str | None, logins: str | None
) -> Logins:
    """Return what returns a user's login. Raises ``OperationValueError`` for arguments that don't fit."""
    given = {"login": login, "password_from": password_from, "logins": logins}
    names = [name for name, value in given.items() if value is not None]
    if source.kind != "imap":
        if names:
            raise OperationValueError(
                f"{names[0]} is about IMAP, and the source is {source.kind}; allowed: leave it out"
            )
        return Logins(lambda email: None)
    if logins is not None:
        if len(names) > 1:
            raise OperationValueError(f"{names[0]} and logins: allowed: one of them")
        found = logins_in(logins)
        return Logins(found.get, frozenset(found))
    password = password_source(password_from, f"{login or wanted} at {source.values['host']}")
    return Logins(lambda email: Login(expanded(login or "%u", email), password()))


@operation
def _import_mail(
    settings: Settings, wanted: str, source: Source, logins: Logins, exclude: Sequence[str], tls_verify: bool
) -> Generator[PyinfraCommand]:
    site = site_of(settings, hosts.checked(settings))
    if not site.here.has_mail:
        host.noop("the mail is on another host")
        return
    users = users_of(settings, wanted)
    asked = {email for email in logins.listed if wanted in (ALL, email, email.rpartition("@")[2])}
    if strangers := ", ".join(sorted(asked - {user.email for user in users})):
        raise OperationError(f"there is no user {strangers}, which the file of logins has; create it first")
    bringing = []
    for user in users:
        has_login = source.kind != "imap" or logins.of(user.email) is not None
        if obstacle := user.obstacle or ("" if has_login else "it has no line in the file of logins"):
            host.log(f"{user.email} is left out: {obstacle}")
        else:
            bringing.append(user)
    if not bringing:
        raise OperationError(f"there is no user of {wanted} whose mail can be imported: see above")
    for user in bringing:
        about = source.of(user.email)
        host.log(f"~ user {user.email}: what is new in {about.get('path') or about['host']}")
    generation = read(PLATFORM).dovecot

    def bring() -> None:
        failed = 0
        for number, user in enumerate(bringing, 1):
            about = source.of(user.email)
            if found := logins.of(user.email):
                about |= {"verify": tls_verify, "login": found.name, "password": found.password}
            failed += not _brought(user, about, generation, exclude, f"{number} of {len(bringing)}")
        if failed:
            raise OperationError(f"{failed} of {len(bringing)} could not be imported: see above")

    yield local_command(bring)


def _brought(user: User, source: dict[str, Any], generation: str, exclude: Sequence[str], which: str) -> bool:
    """Import the mail of one user, which says how it goes; return whether it was imported."""
    plan = {
        "email": user.email,
        "home": user.home,
        "generation": generation,
        "which": which,
        "exclude": exclude,
        "source": source,
    }
    return mailbox_program.run("import_mail", program, plan, shows=True).succeeded
