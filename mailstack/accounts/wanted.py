"""Accounts that should be there, as rows of the tables. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from mailstack.accounts.rows import Key, Values
from mailstack.passwords import app_digest
from mailstack.settings.accounts import Alias, User
from mailstack.settings.domains import AliasDomain, Domain, RelayDomain


class Accounts(NamedTuple):
    """Domains, users and aliases that should be there."""

    domains: tuple[Domain, ...] = ()
    users: tuple[User, ...] = ()
    aliases: tuple[Alias, ...] = ()
    alias_domains: tuple[AliasDomain, ...] = ()
    relay_domains: tuple[RelayDomain, ...] = ()

    def rows(self) -> dict[str, list[Wanted]]:
        """As rows of the tables."""
        return {
            "mail_domain": [_domain_row(domain) for domain in self.domains],
            "mail_users": [_user_row(user) for user in self.users],
            "mail_alias": [
                row for alias in self.aliases if not alias.everywhere for row in _alias_rows(alias)
            ],
            "mail_sender": [
                Wanted((user.email, sender), {}, {}) for user in self.users for sender in user.senders
            ],
            "mail_app_password": [row for user in self.users for row in _app_password_rows(user)],
            "mail_alias_domain": [_alias_domain_row(alias) for alias in self.alias_domains],
            "mail_wildcard": [
                row for alias in self.aliases if alias.everywhere for row in _alias_rows(alias)
            ],
            "mail_relay_domain": [_relay_domain_row(domain) for domain in self.relay_domains],
            "mail_relay_recipient": [
                Wanted((address,), {}, {}) for domain in self.relay_domains for address in domain.recipients
            ],
        }


class Wanted(NamedTuple):
    """A row as it should be: what a new one gets, and what an old one must have."""

    key: Key
    new: Values
    enforced: Values


def _domain_row(domain: Domain) -> Wanted:
    plain = ("quota_mb", "quota_messages", "user_quota_mb", "user_quota_messages", "active")
    new: Values = {name: getattr(domain, name) for name in plain}
    enforced = {name: value for name, value in new.items() if name in domain.model_fields_set}
    return Wanted((domain.domain_name,), new, enforced)


def _user_row(user: User) -> Wanted:
    plain = (
        "home_directory",
        "quota_mb",
        "quota_messages",
        "can_send",
        "can_receive",
        "detail_folders",
        "active",
    )
    enforced: Values = {name: getattr(user, name) for name in plain if name in user.model_fields_set}
    if user.password_hash is not None:
        enforced["password"] = user.password_hash.get_secret_value()
    new = {"password": user.initial_password} | {name: getattr(user, name) for name in plain}
    return Wanted((user.email,), new | enforced, enforced)


def _app_password_rows(user: User) -> Iterator[Wanted]:
    for app in user.app_passwords:
        enforced: Values = {"service": app.service} if "service" in app.model_fields_set else {}
        if app.password is not None:
            enforced["digest"] = app_digest(app.password.get_secret_value())
        new: Values = {"digest": None, "service": app.service}
        yield Wanted((user.email, app.name), new | enforced, enforced)


def _alias_domain_row(alias: AliasDomain) -> Wanted:
    enforced: Values = {"domain_name": alias.domain_name}
    if "active" in alias.model_fields_set:
        enforced["active"] = alias.active
    return Wanted((alias.alias_domain,), {"domain_name": alias.domain_name, "active": alias.active}, enforced)


def _relay_domain_row(domain: RelayDomain) -> Wanted:
    plain = ("any_recipient", "active")
    enforced: Values = {name: getattr(domain, name) for name in plain if name in domain.model_fields_set}
    return Wanted((domain.domain_name,), {name: getattr(domain, name) for name in plain}, enforced)


def _alias_rows(alias: Alias) -> Iterator[Wanted]:
    source = alias.source_email.removesuffix("@*")
    enforced = {"active": alias.active} if "active" in alias.model_fields_set else {}
    for target in alias.destinations:
        yield Wanted((source, target), {"active": alias.active}, enforced)
