"""Everything about one address: its queries, what happens to mail to it, and its text. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mailstack import addresses
from mailstack.accounts.listed import SERVICES, USER, USERS, Domain, User, domains_of, moment, user_of
from mailstack.accounts.mail import home_of
from mailstack.components.postfix_sql import queries as lookups_of
from mailstack.engines import engine_of
from mailstack.engines.contract import Rows
from mailstack.engines.tables import USER_LIMITS
from mailstack.text import printable

if TYPE_CHECKING:
    from mailstack.engines import Dialect
    from mailstack.settings import Settings

_MAY = ("can_send", "can_receive", "detail_folders")
_RIGHTS = (*_MAY, "active", *USER_LIMITS, "mail_driver")
_ALIASES = "FROM mail_alias a JOIN mail_domain d ON d.domain_name = a.domain_name"
_LIMITS = {
    "message_rate_limit": "messages in an hour",
    "recipient_rate_limit": "recipients in an hour",
    "message_daily_limit": "messages in a day",
    "recipient_daily_limit": "recipients in a day",
}


def queries(settings: Settings, address: str) -> dict[str, Rows]:
    """Return the queries about an address in lower case, and for the targets of mail to it."""
    dialect = engine_of(settings).dialect
    base = addresses.without_detail(address)
    local, _, domain = base.partition("@")
    name, user, place = map(dialect.literal, (domain, base, local))
    targets = dialect.with_key(lookups_of(settings)["virtual_aliases"], local, domain)
    mailbox = "(SELECT COUNT(*) FROM mail_users m WHERE m.email = asked.address)"
    nothing = ("NULL",) * len(SERVICES)
    counts = ("NULL", "NULL")
    return {
        "users": Rows((*USER, *nothing), f"{USERS} WHERE u.email = {user}"),
        "rights": Rows(
            tuple(f"u.{column}" for column in _RIGHTS),
            f"FROM mail_users u WHERE u.email = {user}",
        ),
        "logins": Rows(
            ("l.service", dialect.seconds("l.at")), f"FROM mail_last_login l WHERE l.email = {user}"
        ),
        "senders": Rows(("s.sender_email",), f"FROM mail_sender s WHERE s.email = {user}"),
        "app_passwords": Rows(
            ("p.name", "p.service", dialect.seconds("p.used_at")),
            f"FROM mail_app_password p WHERE p.email = {user}",
        ),
        "leads_to": Rows(
            ("a.destination_email", "a.active AND d.active"), f"{_ALIASES} WHERE a.source_email = {user}"
        ),
        "led_to_by": Rows(
            ("a.source_email", "a.active AND d.active"),
            f"{_ALIASES} WHERE LOWER(a.destination_email) = {user}",
        ),
        "everywhere": Rows(
            ("w.local_part", "w.active"), f"FROM mail_wildcard w WHERE LOWER(w.destination_email) = {user}"
        ),
        "domains": Rows(
            ("d.domain_name", "d.active", "d.quota_mb", "d.user_quota_mb", *counts),
            f"FROM mail_domain d WHERE d.domain_name = {name}",
        ),
        "alias_domains": Rows(
            ("x.alias_domain", "x.domain_name", "x.active"),
            f"FROM mail_alias_domain x WHERE x.alias_domain = {name}",
        ),
        "relay_domains": Rows(
            ("r.domain_name", "r.active"), f"FROM mail_relay_domain r WHERE r.domain_name = {name}"
        ),
        "relayed": Rows(
            ("r.domain_name",),
            f"FROM mail_relay_domain r WHERE r.domain_name = {name} AND r.active AND (r.any_recipient"
            f" OR {place} = 'postmaster'"
            f" OR EXISTS (SELECT 1 FROM mail_relay_recipient e WHERE e.address = {user}))",
        ),
        "targets": Rows(("asked.address", mailbox), f"FROM {dialect.answers(targets)}"),
        "former": Rows(("f.directory",), f"FROM mail_former_users f WHERE f.email = {user}"),
    }


def near(dialect: Dialect, address: str) -> dict[str, Rows]:
    """Return queries for addresses that may be meant: those in the domain, and of that local part."""
    local, _, domain = address.partition("@")
    name, prefix = dialect.literal(domain), dialect.literal(f"{local}@")
    alike = f"SUBSTRING({{0}} FROM 1 FOR {len(local) + 1}) = {prefix}"
    return {
        "users": Rows(
            ("u.email",),
            f"FROM (SELECT m.email FROM mail_users m WHERE m.domain_name = {name}"
            f" OR {alike.format('m.email')} LIMIT 5000) AS u",
        ),
        "aliases": Rows(
            ("a.source_email",),
            f"FROM (SELECT DISTINCT m.source_email FROM mail_alias m WHERE m.domain_name = {name}"
            f" OR {alike.format('m.source_email')} LIMIT 5000) AS a",
        ),
    }


@dataclass
class Found:
    """Everything about an address.

    + address: the address in lower case, without its detail
    + leads_to, led_to_by: aliases of it and to it, each with whether it is active
    + targets: the final targets of mail to it, each with whether it is a mailbox here
    + relayed: whether a backup MX takes its mail
    """

    address: str
    settings: Settings
    user: User | None = None
    rights: Mapping[str, Any] = field(default_factory=dict)
    logins: Mapping[str, str] = field(default_factory=dict)
    senders: Sequence[str] = ()
    app_passwords: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    leads_to: Mapping[str, bool] = field(default_factory=dict)
    led_to_by: Mapping[str, bool] = field(default_factory=dict)
    domain: Domain | None = None
    targets: Mapping[str, bool] = field(default_factory=dict)
    relayed: bool = False
    former: Sequence[str] = ()

    @classmethod
    def of(cls, address: str, answer: Mapping[str, Any], settings: Settings) -> Found:
        """Return it from the answer to ``queries``."""
        rows: dict[str, Any] = {name: answer.get(name, []) for name in queries(settings, address)}
        to_it = [*rows["led_to_by"], *([f"{local}@*", active] for local, active in rows["everywhere"])]
        return cls(
            addresses.without_detail(address),
            settings,
            next(map(user_of, rows["users"]), None),
            next((dict(zip(_RIGHTS, row, strict=True)) for row in rows["rights"]), {}),
            {service: moment(at) for service, at in sorted(rows["logins"])},
            sorted(sender for (sender,) in rows["senders"]),
            {
                name: (service, moment(at) if at else None)
                for name, service, at in sorted(rows["app_passwords"])
            },
            {target: bool(active) for target, active in sorted(rows["leads_to"])},
            {source: bool(active) for source, active in sorted(to_it)},
            next(domains_of(answer), None),
            {target: bool(mailbox) for target, mailbox in sorted(rows["targets"])},
            bool(rows["relayed"]),
            sorted(directory for (directory,) in rows["former"]),
        )

    @property
    def is_known(self) -> bool:
        """Whether the server has anything about it."""
        here = self.user or self.leads_to or self.led_to_by or self.targets or self.relayed
        return bool(here) or self._is_local or self.address in self.settings.mail_virtual

    @property
    def fate(self) -> list[str]:
        """What would happen to a message to it, a sentence each."""
        return [*_fate(self)]

    @property
    def limits(self) -> dict[str, int]:
        """How much the user may send; 0 is no limit."""
        return {
            name: self.rights[name]
            if self.rights.get(name) is not None
            else getattr(self.settings, f"mail_user_{name}")
            for name in USER_LIMITS
        }

    @property
    def _is_local(self) -> bool:
        return self.address.partition("@")[2] in self.settings.local_domains

    def shown(self) -> dict[str, Any]:
        """Return it for JSON."""
        user = None
        if self.user:
            user = {
                **json.loads(self.user.json()),
                "last_login": self.logins,
                **{name: bool(self.rights[name]) for name in _MAY},
                "directory": home_of(self.user.row(), self.settings.mail_home_root),
                "mail_driver": self.rights["mail_driver"],
                "limits": {name: limit or None for name, limit in self.limits.items()},
                "app_passwords": {name: service for name, (service, _) in self.app_passwords.items()},
                "app_password_logins": {name: at for name, (_, at) in self.app_passwords.items() if at},
                "senders": [*self.senders],
            }
        return {
            "address": self.address,
            "user": user,
            "alias_of": self.leads_to,
            "aliases_to_it": self.led_to_by,
            "domain": self.domain and self.domain.shown(),
            "targets": [*self.targets],
            "mail_to_it": self.fate,
            "former_directories": [*self.former],
        }

    def text(self) -> str:
        """Return it for a person."""
        lines = [self.address, *(f"  {name:15}{value}" for name, value in _lines(self) if value)]
        return "\n".join(map(printable, lines))


def _fate(found: Found) -> Iterator[str]:
    settings, domain = found.settings, found.domain
    if found.address in settings.mail_virtual:
        yield f"mail_virtual sends it to {', '.join(settings.mail_virtual[found.address])}"
    elif found._is_local:
        yield "it goes to a system user of the host, or where /etc/aliases sends it"
    elif domain is None:
        yield "its domain is not of this server: users may send to it, and strangers get 554 5.7.1"
    elif domain.kind == "relayed":
        if found.relayed:
            yield "it is accepted, and sent on to the primary of the domain"
        else:
            yield "it is refused with 550 5.1.1: the domain is relayed, and this recipient is not listed"
    elif not found.targets:
        yield f"it is refused with 550 5.1.1: {_why_not(found)}"
    elif found.user and found.user.share is not None and found.user.share >= 100 and len(found.targets) == 1:
        yield "it is refused with 552 5.2.2: the mailbox is full"
    else:
        yield from (
            f"it is delivered to the mailbox {target}" if mailbox else f"it is sent on to {target}"
            for target, mailbox in found.targets.items()
        )


def _why_not(found: Found) -> str:
    """Return why an address in a domain of this server gets no mail."""
    if found.domain and not found.domain.active:
        return f"the domain {found.domain.name} is disabled"
    if found.leads_to:
        return "its aliases are disabled, or lead to no mailbox"
    if found.user:
        return "the user may not receive mail" if found.rights.get("active") else "the user is disabled"
    return "no mailbox and no alias has it"


def _lines(found: Found) -> Iterator[tuple[str, str]]:
    user = found.user
    if user:
        rights = found.rights
        words = {
            "disabled": not rights["active"],
            "may send": rights["can_send"],
            "may receive": rights["can_receive"],
            "user+folder goes into the folder": rights["detail_folders"],
        }
        yield "user", ", ".join(word for word, true in words.items() if true) or "may nothing"
        yield "directory", home_of(user.row(), found.settings.mail_home_root)
        yield "mail_driver", rights["mail_driver"]
        yield "quota", _quota(user)
        limits = (f"{limit} {_LIMITS[name]}" for name, limit in found.limits.items() if limit)
        yield "may send", ", ".join(limits) or "without limit"
        logins = (f"{service} {at}" for service, at in found.logins.items())
        yield "last login", ", ".join(logins) or "never"
        apps = (
            f"{name} ({service}, {f'used {at}' if at else 'never used'})"
            for name, (service, at) in found.app_passwords.items()
        )
        yield "app passwords", ", ".join(apps)
        yield "may send as", ", ".join(found.senders)
    yield "alias of", ", ".join(map(_state, found.leads_to.items()))
    yield "aliases to it", ", ".join(map(_state, found.led_to_by.items()))
    if found.domain:
        state = "" if found.domain.active else ", disabled"
        of = f" of {found.domain.of}" if found.domain.of else ""
        yield "domain", f"{found.domain.name}, {found.domain.kind}{of}{state}"
    yield "left by others", ", ".join(found.former)
    for number, sentence in enumerate(found.fate):
        yield ("" if number else "mail to it"), sentence


def _state(alias: tuple[str, bool]) -> str:
    return alias[0] if alias[1] else f"{alias[0]} (disabled)"


def _quota(user: User) -> str:
    limits = [f"{user.quota_mb} MiB" if user.quota_mb else ""]
    limits += [f"{user.quota_messages} messages" if user.quota_messages else ""]
    allowed = " and ".join(filter(None, limits))
    if user.used is None:
        return allowed or "no limit"
    used = f"{user.used.kilobytes / 1024:.1f} MiB and {user.used.messages} messages"
    return f"{used} of {allowed} ({user.share:.0f} %)" if allowed else f"{used}, no limit"
