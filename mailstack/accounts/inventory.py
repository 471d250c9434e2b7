"""The operation for all accounts declared in an inventory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Unpack

from pyinfra.api.exceptions import OperationValueError
from pyinfra.api.operation import OperationMeta

from mailstack import hosts
from mailstack.accounts.arguments import command
from mailstack.accounts.fulfil import apply, require
from mailstack.accounts.plan import Absent, undeclared
from mailstack.accounts.rows import DOMAINS, READ, Current
from mailstack.accounts.rules import Given
from mailstack.accounts.step import Step, Wish
from mailstack.accounts.wanted import Accounts
from mailstack.backends import shares
from mailstack.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailstack.deploys import GlobalArguments


@command
def declared(settings: Settings, **pyinfras: Unpack[GlobalArguments]) -> OperationMeta:
    """Add and change accounts in the database as the settings declare them.

    With ``mail_accounts_policy`` ``authoritative``, remove all others; their mail only with
    ``mail_accounts_delete_mail``. Fail the host if an existing row breaks a rule of the settings.
    """
    given: object = settings
    if not isinstance(given, Settings):  # called as a command
        raise OperationValueError(
            f"settings = {given!r}: must be Settings; mailstack.accounts.declared is for a deploy of your own"
        )
    return apply(declared_step(settings, _backends(settings)), "Declared in the inventory")


def check_declared(settings: Settings) -> None:
    """Stop the run before it changes anything, if the accounts are impossible, as a user without a domain."""
    require(declared_step(settings, _backends(settings)))


def _backends(settings: Settings) -> Mapping[str, int]:
    return shares(settings, hosts.topology())


def declared_step(settings: Settings, backends: Mapping[str, int] | None = None) -> Step:
    """Return the step for the accounts that the settings declare.

    + backends: see ``Given``
    """
    accounts = Accounts(
        settings.mail_domains,
        settings.mail_users,
        settings.mail_aliases,
        settings.mail_alias_domains,
        settings.mail_relay_domains,
    )
    authoritative = settings.mail_accounts_policy == "authoritative"

    def wish(current: Current) -> Wish:
        absent = undeclared(current, accounts) if authoritative else Absent()
        return Wish(accounts, absent, delete_mail=settings.mail_accounts_delete_mail)

    # Without declared accounts only domains are read, as they must agree with the settings. Also read are
    # former addresses if folders are shared, to revoke their rights, and users if settings send mail to
    # addresses.
    declares = accounts != Accounts() or authoritative or settings.mail_shared_folders
    declares = declares or bool(Given.of(settings).targets)
    tables = tuple(READ) if declares else DOMAINS
    return Step(settings, wish, tables, all_rows=True, backends=backends or {})
