"""Wanted accounts as rows of the tables. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mailstack.accounts.rows import Key, Values, settable
from mailstack.passwords import app_digest
from mailstack.settings.accounts import Alias, User
from mailstack.settings.domains import AliasDomain, Domain, RelayDomain
from mailstack.settings.types import Model


class Accounts(NamedTuple):
    """Wanted domains, users and aliases."""

    domains: tuple[Domain, ...] = ()
    users: tuple[User, ...] = ()
    aliases: tuple[Alias, ...] = ()
    alias_domains: tuple[AliasDomain, ...] = ()
    relay_domains: tuple[RelayDomain, ...] = ()

    def rows(self) -> dict[str, list[Wanted]]:
        """Return them as rows of the tables."""
        return {
            "mail_domain": [_row("mail_domain", (domain.domain_name,), domain) for domain in self.domains],
            "mail_users": [_user_row(user) for user in self.users],
            "mail_alias": [
                row for alias in self.aliases if not alias.everywhere for row in _alias_rows(alias)
            ],
            "mail_sender": [
                Wanted((user.email, sender), {}, {}) for user in self.users for sender in user.senders
            ],
            "mail_app_password": [row for user in self.users for row in _app_password_rows(user)],
            "mail_alias_domain": [
                _row("mail_alias_domain", (alias.alias_domain,), alias) for alias in self.alias_domains
            ],
            "mail_wildcard": [
                row for alias in self.aliases if alias.everywhere for row in _alias_rows(alias)
            ],
            "mail_relay_domain": [
                _row("mail_relay_domain", (domain.domain_name,), domain) for domain in self.relay_domains
            ],
            "mail_relay_recipient": [
                Wanted((address,), {}, {}) for domain in self.relay_domains for address in domain.recipients
            ],
        }


class Wanted(NamedTuple):
    """A wanted row: the values of a new row, and those enforced on an existing row."""

    key: Key
    new: Values
    enforced: Values


def _row(table: str, key: Key, model: Model) -> Wanted:
    """Return the row of a model; only declared values are enforced."""
    new: Values = {name: getattr(model, name) for name in settable(table, type(model))}
    enforced = {name: value for name, value in new.items() if name in model.model_fields_set}
    return Wanted(key, new, enforced)


def _user_row(user: User) -> Wanted:
    key, new, enforced = _row("mail_users", (user.email,), user)
    if user.mail_driver is None:  # the database has the default
        del new["mail_driver"]
    if user.backend is None:  # the plan has it
        del new["backend"]
    if user.password_hash is None:
        return Wanted(key, {"password": user.initial_password} | new, enforced)
    password = {"password": user.password_hash.get_secret_value()}
    return Wanted(key, password | new, enforced | password)


def _app_password_rows(user: User) -> Iterator[Wanted]:
    for app in user.app_passwords:
        key, new, enforced = _row("mail_app_password", (user.email, app.name), app)
        digest: Values = {}
        if app.password is not None:
            digest["digest"] = app_digest(app.password.get_secret_value())
        yield Wanted(key, {"digest": None} | new | digest, enforced | digest)


def _alias_rows(alias: Alias) -> Iterator[Wanted]:
    source = alias.source_email.removesuffix("@*")
    for target in alias.destinations:
        yield _row("mail_wildcard" if alias.everywhere else "mail_alias", (source, target), alias)
