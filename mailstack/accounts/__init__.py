"""Domains, users and aliases: one at a time from the command line, or declared in the inventory's data.

.. code:: shell

    pyinfra INVENTORY mailstack.accounts.domain example.org
    pyinfra INVENTORY mailstack.accounts.user alice@example.org quota_mb=2000
    pyinfra INVENTORY mailstack.accounts.alias info@example.org alice@example.org

A password is never an argument: arguments are in the process list, in the shell's history and in pyinfra's
output. Every operation shows its plan row by row, under ``--dry`` too, and writes it in one transaction.
"""

from __future__ import annotations

from typing import Any, cast

from pydantic import SecretStr
from pyinfra.api.deploy import deploy
from pyinfra.api.exceptions import OperationValueError

from mailstack import addresses
from mailstack.accounts.arguments import given, refusal, true_or_false
from mailstack.accounts.fulfil import Current, Wish, apply, fulfil, stored, without
from mailstack.accounts.new_file import NewFile
from mailstack.accounts.password_source import password_source
from mailstack.accounts.plan import Absent, Accounts, undeclared
from mailstack.accounts.sql import Key, Rows
from mailstack.passwords import generate_app_password, hash_password, verify
from mailstack.settings import Alias, AliasDomain, AppPassword, Domain, RelayDomain, Settings, User


@deploy("Accounts")
def domain(
    domain_name: str,
    active: bool | None = None,
    quota_mb: int | None = None,
    quota_messages: int | None = None,
    user_quota_mb: int | None = None,
    user_quota_messages: int | None = None,
    present: bool = True,
) -> None:
    """Add, change or remove a domain.

    + domain_name: the domain
    + active: whether its addresses are accepted; a new one is, and an old one stays as it is
    + quota_mb, quota_messages: the sums that the quotas of its users may have, in MiB and in messages
    + user_quota_mb, user_quota_messages: the quotas of its users that have none of their own; 0 for no limit
    + present: whether it should be there; it can't go while addresses in it stay

    Raises ``OperationValueError`` for what is no domain.
    """
    true_or_false(present=present)
    made = Domain(
        **given(
            domain_name=domain_name,
            active=active,
            quota_mb=quota_mb,
            quota_messages=quota_messages,
            user_quota_mb=user_quota_mb,
            user_quota_messages=user_quota_messages,
        )
    )
    key = (made.domain_name,)
    fulfil(
        lambda current: Wish(Accounts(domains=(made,))) if present else without(current, "mail_domain", key),
        f"Domain {made.domain_name}",
    )


@deploy("Accounts")
def user(
    email: str,
    password_from: str | None = None,
    quota_mb: int | None = None,
    quota_messages: int | None = None,
    home_directory: str | None = None,
    can_send: bool | None = None,
    can_receive: bool | None = None,
    detail_folders: bool | None = None,
    senders: str | list[str] | tuple[str, ...] = (),
    active: bool | None = None,
    present: bool = True,
    delete_mail: bool = False,
    **refused: object,
) -> None:
    """Add, change or remove a user.

    + email: the address, which is also the login name
    + password_from: ``env:NAME``, ``file:PATH`` (on the machine that runs pyinfra) or ``prompt``; a new user
      without it is prompted for. Given for a user that exists, it is the new password
    + quota_mb, quota_messages: the size of the mailbox in MiB and in messages; 0 for no limit
    + home_directory: where the mail lies; by default below ``mail_home_root``
    + can_send, can_receive: whether the user may send, and receive, mail
    + detail_folders: whether mail to ``user+folder`` goes into that folder, where it is there
    + senders: further addresses that the user may send as, or ``@domain``. Others that are there stay
    + active: whether the user may do anything
    + present: whether the user should be there
    + delete_mail: whether the mail is deleted with the user

    Raises ``OperationValueError`` for anything impossible, before the host is asked.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.user alice@example.org password_from=file:alice.txt quota_mb=500
    """
    if refused:
        raise OperationValueError(refusal(refused))
    true_or_false(present=present, delete_mail=delete_mail)
    made = User(
        **given(
            email=email,
            quota_mb=quota_mb,
            quota_messages=quota_messages,
            home_directory=home_directory,
            can_send=can_send,
            can_receive=can_receive,
            detail_folders=detail_folders,
            senders=[senders] if isinstance(senders, str) else list(senders),
            active=active,
        ),
    )
    if delete_mail and present:
        raise OperationValueError("delete_mail: only with present=false")
    source = password_source(password_from, made.email)

    def wish(current: Current) -> Wish:
        key = (made.email,)
        if not present:
            return without(current, "mail_users", key)._replace(delete_mail=delete_mail)
        there = stored(current, "mail_users", key)
        if password_from is None and there:
            return Wish(Accounts(users=(made,)))
        password = source()
        if not there:
            return Wish(Accounts(users=(_with(made, initial_password=password),)))
        before = current["mail_users"][there[0]].get("password") or ""
        if verify(before, password):
            return Wish(Accounts(users=(made,)))
        return Wish(Accounts(users=(_with(made, password_hash=hash_password(password)),)))

    fulfil(wish, f"User {made.email}")


@deploy("Accounts")
def app_password(
    email: str,
    app_name: str,
    service: str | None = None,
    password_to: str | None = None,
    password_from: str | None = None,
    present: bool = True,
    **refused: object,
) -> None:
    """Give a user a further password, for one program or device, or take it away.

    + email: the user
    + app_name: what it is called, such as ``phone``
    + service: ``imap`` for reading mail, ``smtp`` for sending it, ``all`` for both and ManageSieve
    + password_to: a file, not there yet, on the machine that runs pyinfra: a new password is generated and
      written there, for you alone to read. Nothing else ever shows it
    + password_from: where a password comes from that was generated elsewhere: as for ``user``
    + present: whether it should be there

    Raises ``OperationValueError`` for anything impossible, before the host is asked.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.accounts.app_password alice@example.org phone password_to=phone.txt
    """
    if refused:
        raise OperationValueError(refusal(refused))
    true_or_false(present=present)
    if password_to is not None and password_from is not None:
        raise OperationValueError("password_to: not with password_from")
    made = AppPassword(**given(name=app_name, service=service))
    user = User(email=email)
    source = password_source(password_from, f"{app_name} of {user.email}") if password_from else None
    file = NewFile(password_to, generate_app_password()) if password_to is not None else None

    def wish(current: Current) -> Wish:
        if not present:
            return without(current, "mail_app_password", (user.email, made.name))
        password = source() if source else file.text if file else None
        app = AppPassword(**made.model_dump(exclude_unset=True), **given(password=password))
        asked = Accounts(users=(User(email=email, app_passwords=(app,)),))
        return Wish(asked, first=file.write if file else None)

    fulfil(wish, f"App password {made.name} of {user.email}")


@deploy("Accounts")
def alias_domain(
    alias_domain: str, domain_name: str | None = None, active: bool | None = None, present: bool = True
) -> None:
    """Add, change or remove another name for a domain.

    + alias_domain: the other name
    + domain_name: the domain; not needed to remove the name
    + active: whether mail to the other name is accepted
    + present: whether it should be there

    Raises ``OperationValueError`` for what is no domain.
    """
    true_or_false(present=present)
    made = AliasDomain(
        **given(alias_domain=alias_domain, domain_name=domain_name or alias_domain, active=active)
    )
    if present and domain_name is None:
        raise OperationValueError("domain_name: which domain is it another name for?")
    key = (made.alias_domain,)
    fulfil(
        lambda current: (
            Wish(Accounts(alias_domains=(made,))) if present else without(current, "mail_alias_domain", key)
        ),
        f"Alias domain {made.alias_domain}",
    )


@deploy("Accounts")
def sender(email: str, sender_email: str, present: bool = True) -> None:
    """Grant a user an address to send as, or take it away.

    + email: the user
    + sender_email: the address, or ``@domain`` for every address there
    + present: whether it is granted

    Raises ``OperationValueError`` for what is no address.
    """
    true_or_false(present=present)
    made = User(email=email, senders=(sender_email,))
    key = (made.email, made.senders[0])

    def wish(current: Current) -> Wish:
        return Wish(Accounts(users=(made,))) if present else without(current, "mail_sender", key)

    fulfil(wish, f"Sender {made.email}")


@deploy("Accounts")
def alias(
    source_email: str,
    destinations: str | list[str] | tuple[str, ...] = (),
    active: bool | None = None,
    present: bool = True,
) -> None:
    """Add, change or remove an alias.

    + source_email: the address, ``@domain`` for a catch-all, or ``name@*`` for a name in all domains
    + destinations: where its mail goes, one address or several. Others that are there stay
    + active: whether it works
    + present: whether these destinations, or without any the whole alias, should be there

    Raises ``OperationValueError`` for what is no address.
    """
    true_or_false(present=present)
    targets = [destinations] if isinstance(destinations, str) else list(destinations)
    if present or targets:
        made = Alias(**given(source_email=source_email, destinations=targets, active=active))
        source_email, targets = made.source_email, list(made.destinations)
    else:
        source_email = _alias_source(source_email)

    def wish(current: Current) -> Wish:
        if present:
            return Wish(Accounts(aliases=(made,)))
        table = "mail_wildcard" if source_email.endswith("@*") else "mail_alias"
        source = source_email.removesuffix("@*")
        listed = [(source, target) for target in targets]
        return without(current, table, *(listed or _aliases_of(current[table], source)))

    fulfil(wish, f"Alias {source_email}")


@deploy("Accounts")
def relay_domain(
    domain_name: str,
    recipients: str | list[str] | tuple[str, ...] = (),
    any_recipient: bool | None = None,
    active: bool | None = None,
    present: bool = True,
) -> None:
    """Add, change or remove a domain that mail is relayed to, and who is known there.

    + domain_name: the domain
    + recipients: addresses that the primary knows. Others that are there stay
    + any_recipient: whether mail to every address is taken
    + active: whether mail is taken at all
    + present: whether these recipients, or without any the whole domain, should be there

    Raises ``OperationValueError`` for what is no domain, or an address elsewhere.
    """
    true_or_false(present=present)
    targets = [recipients] if isinstance(recipients, str) else list(recipients)
    made = RelayDomain(
        **given(domain_name=domain_name, recipients=targets, any_recipient=any_recipient, active=active)
    )

    def wish(current: Current) -> Wish:
        if present:
            return Wish(Accounts(relay_domains=(made,)))
        if made.recipients:
            return without(current, "mail_relay_recipient", *((address,) for address in made.recipients))
        known = [key for key in current["mail_relay_recipient"] if key[0].endswith(f"@{made.domain_name}")]
        domains = stored(current, "mail_relay_domain", (made.domain_name,))
        gone = {"mail_relay_domain": frozenset(domains), "mail_relay_recipient": frozenset(known)}
        return Wish(absent=Absent(gone))

    fulfil(wish, f"Relay domain {made.domain_name}")


@deploy("Accounts")
def declared(settings: Settings) -> None:
    """Make the database have the accounts that the settings declare.

    With ``mail_accounts_policy`` ``authoritative``, those that are not declared go; their mail goes only with
    ``mail_accounts_delete_mail``.
    """
    accounts = Accounts(
        settings.mail_domains,
        settings.mail_users,
        settings.mail_aliases,
        settings.mail_alias_domains,
        settings.mail_relay_domains,
    )
    authoritative = settings.mail_accounts_policy == "authoritative"
    if accounts == Accounts() and not authoritative:
        return

    def wish(current: Current) -> Wish:
        absent = undeclared(current, accounts) if authoritative else Absent()
        return Wish(accounts, absent, settings.mail_accounts_delete_mail)

    apply(settings, wish, "Declared in the inventory")


def _with(made: User, **secret: str) -> User:
    said: dict[str, Any] = made.model_dump(exclude_unset=True)
    return User(**said, **cast("dict[str, Any]", {name: SecretStr(value) for name, value in secret.items()}))


def _aliases_of(rows: Rows, source: str) -> list[Key]:
    return [(source, target.lower()) for there, target in rows if there.lower() == source]


def _alias_source(text: str) -> str:
    try:
        return addresses.alias_source(text)
    except ValueError as error:
        raise OperationValueError(f"source_email = {text!r}: {error}") from None
