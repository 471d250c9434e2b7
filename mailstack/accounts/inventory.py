"""All accounts that an inventory declares."""

from __future__ import annotations

from collections.abc import Callable

from pyinfra.api.deploy import deploy

from mailstack.accounts.fulfil import Current, Wish, apply, require
from mailstack.accounts.plan import Absent, undeclared
from mailstack.accounts.wanted import Accounts
from mailstack.settings import Settings


@deploy("Accounts")
def declared(settings: Settings) -> None:
    """Make the database have the accounts that the settings declare.

    With ``mail_accounts_policy`` ``authoritative``, those that are not declared go; their mail goes only with
    ``mail_accounts_delete_mail``.
    """
    if (wish := _declared(settings)) is not None:
        apply(settings, wish, "Declared in the inventory")


def check_declared(settings: Settings) -> None:
    """Stop the run before it changes anything, if these accounts can't be: a user in no domain, say."""
    if (wish := _declared(settings)) is not None:
        require(settings, wish)


def _declared(settings: Settings) -> Callable[[Current], Wish] | None:
    accounts = Accounts(
        settings.mail_domains,
        settings.mail_users,
        settings.mail_aliases,
        settings.mail_alias_domains,
        settings.mail_relay_domains,
    )
    authoritative = settings.mail_accounts_policy == "authoritative"
    if accounts == Accounts() and not authoritative:
        return None

    def wish(current: Current) -> Wish:
        absent = undeclared(current, accounts) if authoritative else Absent()
        return Wish(accounts, absent, delete_mail=settings.mail_accounts_delete_mail)

    return wish
