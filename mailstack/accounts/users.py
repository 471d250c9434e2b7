"""Users, their app passwords, and the addresses that they may send from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Unpack, cast

from pydantic import SecretStr
from pyinfra.api.exceptions import OperationValueError
from pyinfra.api.operation import OperationMeta

from mailstack.accounts.arguments import command, given, true_or_false
from mailstack.accounts.fulfil import fulfil
from mailstack.accounts.new_file import NewFile
from mailstack.accounts.password_source import password_source
from mailstack.accounts.rows import Current
from mailstack.accounts.step import Wish, need_user, stored, without
from mailstack.accounts.wanted import Accounts
from mailstack.passwords import generate_app_password, hash_password, verify
from mailstack.settings import AppPassword, User

if TYPE_CHECKING:
    from mailstack.deploys import GlobalArguments


@command
def user(
    email: str,
    *,
    password_from: str | None = None,
    quota_mb: int | None = None,
    quota_messages: int | None = None,
    home_directory: str | None = None,
    mail_driver: str | None = None,
    backend: str | None = None,
    message_rate_limit: int | None = None,
    recipient_rate_limit: int | None = None,
    message_daily_limit: int | None = None,
    recipient_daily_limit: int | None = None,
    can_send: bool | None = None,
    can_receive: bool | None = None,
    detail_folders: bool | None = None,
    senders: str | list[str] | tuple[str, ...] = (),
    active: bool | None = None,
    present: bool = True,
    delete_mail: bool = False,
    **pyinfras: Unpack[GlobalArguments],
) -> OperationMeta:
    """Add, change or remove a user.

    + email: the address, which is also the login name
    + password_from: ``env:NAME``, ``file:PATH``, ``stdin`` or ``prompt``, on the machine that runs pyinfra;
      for a new user by default ``prompt``. An existing user gets this as the new password
    + quota_mb, quota_messages: the largest size of the mailbox in MiB and in messages; 0 for no limit
    + home_directory: the directory of the mail; by default a new one below ``mail_home_root``
    + mail_driver: how the mail of a new user is stored, ``sdbox`` or ``maildir``; by default as in the
      settings. A Maildir that ``home_directory`` has already is only seen with ``maildir``
    + backend: the host in the group ``imap`` that has the mailbox of a new user, if there are several; by
      default one of them, by ``mail_backend_weight``
    + message_rate_limit, recipient_rate_limit: messages, and recipients, in an hour; 0 for no limit
    + message_daily_limit, recipient_daily_limit: the same in a day
    + can_send, can_receive: whether the user may send, and receive, mail
    + detail_folders: whether mail to ``user+folder`` goes into that folder if it exists
    + senders: further addresses that the user may send from, or ``@domain``. Existing others stay
    + active: false disables logins and delivery
    + present: false removes the user. The mail stays on disk, and a new user of that name does not get it
    + delete_mail: whether the mail is deleted with the user

    Raises ``OperationValueError`` for an impossible value, before the host is asked.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.user alice@example.org password_from=file:alice.txt quota_mb=500
        pyinfra INVENTORY mailstack.accounts.user alice@example.org active=false
        pyinfra INVENTORY mailstack.accounts.user alice@example.org present=false
    """
    true_or_false(present=present, delete_mail=delete_mail)
    wanted = User(
        **given(
            email=email,
            quota_mb=quota_mb,
            quota_messages=quota_messages,
            home_directory=home_directory,
            mail_driver=mail_driver,
            backend=backend,
            message_rate_limit=message_rate_limit,
            recipient_rate_limit=recipient_rate_limit,
            message_daily_limit=message_daily_limit,
            recipient_daily_limit=recipient_daily_limit,
            can_send=can_send,
            can_receive=can_receive,
            detail_folders=detail_folders,
            senders=[senders] if isinstance(senders, str) else list(senders),
            active=active,
        ),
    )
    if delete_mail and present:
        raise OperationValueError("delete_mail: only when a user is removed")
    source = password_source(password_from, wanted.email)

    def wish(current: Current) -> Wish:
        key = (wanted.email,)
        if not present:
            return without(current, "mail_users", key)._replace(delete_mail=delete_mail)
        existing = stored(current, "mail_users", key)
        if password_from is None and existing:
            return Wish(Accounts(users=(wanted,)))
        password = source()
        if not existing:
            return Wish(Accounts(users=(_with(wanted, initial_password=password),)))
        if _is_password(current["mail_users"][existing[0]].get("password"), password):
            return Wish(Accounts(users=(wanted,)))
        return Wish(Accounts(users=(_with(wanted, password_hash=hash_password(password)),)))

    return fulfil(wish, f"User {wanted.email}")


@command
def rename(email: str, new_email: str, **pyinfras: Unpack[GlobalArguments]) -> OperationMeta:
    """Give a user another address. Mail, Sieve scripts and passwords stay; aliases follow.

    + email: the old address; mail to it is refused afterwards, unless you make it an alias
    + new_email: the new address and login name

    Raises ``OperationValueError`` for a malformed address, before the host is asked.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.rename alice@example.org alice.smith@example.org
    """
    old, new = User(email=email).email, User(email=new_email).email
    return fulfil(lambda current: Wish(renamed=(old, new)), f"User {old} becomes {new}")


@command
def app_password(
    email: str,
    app_name: str,
    *,
    service: str | None = None,
    password_to: str | None = None,
    password_from: str | None = None,
    present: bool = True,
    **pyinfras: Unpack[GlobalArguments],
) -> OperationMeta:
    """Add, change or remove a further password of a user, for one program or device.

    + email: the user
    + app_name: its name, such as ``phone``
    + service: ``imap`` for reading mail, ``smtp`` for sending it, ``all`` for both and ManageSieve
    + password_to: the path of a new file on the machine that runs pyinfra. A password is generated and
      written to it, readable by you alone, and shown nowhere else
    + password_from: the source of a password that you generated, as for ``user``
    + present: false removes it

    Raises ``OperationValueError`` for an impossible value, before the host is asked.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.app_password alice@example.org phone password_to=phone.txt
        pyinfra INVENTORY mailstack.accounts.app_password alice@example.org phone present=false
    """
    true_or_false(present=present)
    if password_to is not None and password_from is not None:
        raise OperationValueError("password_to: not with password_from")
    wanted = AppPassword(**given(name=app_name, service=service))
    user = User(email=email)
    source = password_source(password_from, f"{app_name} of {user.email}") if password_from else None
    file = NewFile(password_to, generate_app_password()) if password_to is not None else None

    def wish(current: Current) -> Wish:
        key = (user.email, wanted.name)
        if not present:
            return without(current, "mail_app_password", key)
        need_user(current, user.email)
        if not (source or file or stored(current, "mail_app_password", key)):
            raise OperationValueError(
                f"app password {user.email}: {wanted.name} is new and has no password; allowed: "
                "option password_to FILE (a new one is generated and written there), or password_from with "
                "env:NAME, file:PATH, stdin or prompt"
            )
        password = source() if source else file.text if file else None
        app = AppPassword(**wanted.model_dump(exclude_unset=True), **given(password=password))
        asked = Accounts(users=(User(email=email, app_passwords=(app,)),))
        return Wish(asked, first=file.write if file else None)

    return fulfil(wish, f"App password {wanted.name} of {user.email}")


@command
def sender(
    email: str, sender_email: str, *, present: bool = True, **pyinfras: Unpack[GlobalArguments]
) -> OperationMeta:
    """Add, change or remove an address that a user may send from, beside their own.

    + email: the user
    + sender_email: the address, or ``@domain`` for every address there
    + present: false revokes it

    Raises ``OperationValueError`` for a malformed address.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.sender alice@example.org news@example.org
        pyinfra INVENTORY mailstack.accounts.sender alice@example.org news@example.org present=false
    """
    true_or_false(present=present)
    wanted = User(email=email, senders=(sender_email,))
    key = (wanted.email, wanted.senders[0])

    def wish(current: Current) -> Wish:
        if not present:
            return without(current, "mail_sender", key)
        need_user(current, wanted.email)
        return Wish(Accounts(users=(wanted,)))

    return fulfil(wish, f"Sender {wanted.email}")


def _is_password(stored: str | SecretStr | None, password: str) -> bool:
    """Return whether this is the password, stored as a hash or about to be stored in this run."""
    if isinstance(stored, SecretStr):
        return stored.get_secret_value() == password
    return bool(verify(stored or "", password))


def _with(user: User, **secret: str) -> User:
    values: dict[str, Any] = user.model_dump(exclude_unset=True)
    return User(
        **values, **cast("dict[str, Any]", {name: SecretStr(value) for name, value in secret.items()})
    )
