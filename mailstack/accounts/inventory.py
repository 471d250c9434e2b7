"""All accounts that an inventory declares."""

from __future__ import annotations

from pyinfra.api.deploy import deploy

from mailstack.accounts.fulfil import Current, Wish, apply
from mailstack.accounts.plan import Absent, undeclared
from mailstack.accounts.wanted import Accounts
from mailstack.settings import Settings


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
