"""Domains, users and aliases as they are listed, and the queries for them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from functools import cache
from json import JSONEncoder
from typing import TYPE_CHECKING, Any, NamedTuple

from mailstack.engines.contract import Rows
from mailstack.engines.lookups import MEGABYTES, MESSAGES

if TYPE_CHECKING:
    from mailstack.engines import Dialect

KINDS = ("users", "aliases", "domains")
SERVICES = ("imap", "pop3", "smtp", "sieve")
"""The services of which the last login is recorded."""

_json = JSONEncoder().encode
_NOT_READ = '"used_mb": null, "used_messages": null, "used_percent": null'
_BOOLEANS = {True: "true", False: "false"}
_BEGIN = date(1970, 1, 1).toordinal()
_CLOCK = tuple(f"{minute // 60:02}:{minute % 60:02}" for minute in range(24 * 60))
_SECONDS = tuple(f"{second:02}" for second in range(60))

_STATE = ("u.email", "u.active AND d.active", MEGABYTES, MESSAGES)
USER = (*_STATE, "u.home_directory", "u.mail_directory")
USERS = "FROM mail_users u JOIN mail_domain d ON d.domain_name = u.domain_name"


def queries(dialect: Dialect, kinds: Sequence[str]) -> dict[str, Rows]:
    """Return the queries for these kinds of accounts; of users without directories, half of the answer."""
    # a table of all last logins, grouped by user, would take MariaDB minutes for 100,000 users
    logins = (
        f" LEFT JOIN mail_last_login {name} ON {name}.email = u.email AND {name}.service = '{name}'"
        for name in SERVICES
    )
    seen = (dialect.seconds(f"{name}.at") for name in SERVICES)
    counted = (
        f"(SELECT COUNT(*) FROM {table} n WHERE n.domain_name = d.domain_name)"
        for table in ("mail_users", "mail_alias")
    )
    by_kind = {
        "users": {"users": Rows((*_STATE, "NULL", "NULL", *seen), f"{USERS}{''.join(logins)}")},
        "aliases": {
            "aliases": Rows(
                ("a.source_email", "a.destination_email", "a.active AND d.active"),
                "FROM mail_alias a JOIN mail_domain d ON d.domain_name = a.domain_name",
            ),
            "everywhere": Rows(("w.local_part", "w.destination_email", "w.active"), "FROM mail_wildcard w"),
        },
        "domains": {
            "domains": Rows(
                ("d.domain_name", "d.active", "d.quota_mb", "d.user_quota_mb", *counted), "FROM mail_domain d"
            ),
            "alias_domains": Rows(
                ("x.alias_domain", "x.domain_name", "x.active"), "FROM mail_alias_domain x"
            ),
            "relay_domains": Rows(("r.domain_name", "r.active"), "FROM mail_relay_domain r"),
        },
    }
    return {name: rows for kind in kinds for name, rows in by_kind[kind].items()}


def directories(dialect: Dialect, users: Sequence[User] | None) -> dict[str, Rows]:
    """Return a query for the directories of some users, or of all."""
    emails = None if users is None else ", ".join(dialect.literal(user.email) for user in users)
    condition = "" if emails is None else f" WHERE u.email IN ({emails})"
    columns = ("u.email", "u.home_directory", "u.mail_directory")
    return {"directories": Rows(columns, f"FROM mail_users u{condition}")}


class Used(NamedTuple):
    """What a mailbox has, in KiB and in messages."""

    kilobytes: int
    messages: int


class User(NamedTuple):
    """A user. A quota of 0 is no limit; ``used`` is ``None`` if it was not read.

    + seen: the time of the last login by each of ``SERVICES``, in seconds since 1970, if there was one
    """

    email: str
    active: bool
    quota_mb: int
    quota_messages: int
    home_directory: str | None
    mail_directory: str | None
    seen: Sequence[int | None]
    used: Used | None = None

    @property
    def share(self) -> float | None:
        """The largest used part of a quota, as a percentage."""
        if self.used is None:
            return None
        parts = ((self.used.kilobytes, self.quota_mb * 1024), (self.used.messages, self.quota_messages))
        return max((100 * used / limit for used, limit in parts if limit), default=None)

    def row(self) -> dict[str, str | None]:
        """Return the columns of the table that name its directory."""
        names = ("email", "home_directory", "mail_directory")
        return {name: getattr(self, name) for name in names}

    def json(self) -> str:
        """Return it as JSON. It is written as text, as a dictionary for each of 100,000 users takes long."""
        logins = zip(SERVICES, self.seen, strict=True)
        seen = ", ".join([f'"{name}": "{moment(at)}"' for name, at in logins if at is not None])
        state = _state(self.active, self.quota_mb, self.quota_messages)
        used = _NOT_READ if self.used is None else _used(self.used, self.share)
        return f'{{"address": {_json(self.email)}, {state}, {used}, "last_login": {{{seen}}}}}'


@cache
def _state(active: bool, quota_mb: int, quota_messages: int) -> str:
    return (
        f'"active": {_BOOLEANS[active]}, "quota_mb": {quota_mb or "null"},'
        f' "quota_messages": {quota_messages or "null"}'
    )


def _used(used: Used, share: float | None) -> str:
    percent = "null" if share is None else round(share, 1)
    megabytes = round(used.kilobytes / 1024, 1)
    return f'"used_mb": {megabytes}, "used_messages": {used.messages}, "used_percent": {percent}'


class Alias(NamedTuple):
    """An alias with its destinations; ``@example.org`` is a catch-all, ``name@*`` is in all domains."""

    source: str
    destinations: Sequence[str]
    active: bool

    def json(self) -> str:
        """Return it as JSON; see ``User.json``."""
        targets = ", ".join(map(_json, self.destinations))
        active = _BOOLEANS[self.active]
        return f'{{"address": {_json(self.source)}, "destinations": [{targets}], "active": {active}}}'


class Domain(NamedTuple):
    """A domain.

    + kind: ``mailboxes``, ``relayed``, or ``another name`` of the domain ``of``
    """

    name: str
    kind: str
    active: bool
    of: str = ""
    quota_mb: int | None = None
    user_quota_mb: int | None = None
    users: int | None = None
    aliases: int | None = None

    def shown(self) -> dict[str, Any]:
        """Return it for JSON."""
        return {**self._asdict(), "of": self.of or None}

    def json(self) -> str:
        """Return it as JSON."""
        return _json(self.shown())


def moment(seconds: int) -> str:
    """Return a time as in RFC 3339, in UTC."""
    return f"{_date(seconds // 86400)}T{_CLOCK[seconds // 60 % 1440]}:{_SECONDS[seconds % 60]}Z"


def minute(seconds: int) -> str:
    """Return a time to the minute, in UTC."""
    return f"{_date(seconds // 86400)} {_CLOCK[seconds // 60 % 1440]}"


@cache
def _date(days: int) -> str:
    return date.fromordinal(_BEGIN + days).isoformat()


def user_of(row: Sequence[Any]) -> User:
    """Return the user in a row of the query ``users``."""
    email, active, megabytes, messages, home, directory, *seen = row
    return User(email, bool(active), megabytes, messages, home, directory, seen)


def aliases_of(answer: Mapping[str, Any]) -> Iterator[Alias]:
    """Yield the aliases, each with all destinations that are active, or all that are not."""
    grouped: dict[tuple[str, bool], list[str]] = {}
    everywhere = ((f"{local}@*", target, active) for local, target, active in answer.get("everywhere", ()))
    for source, target, active in (*answer.get("aliases", ()), *everywhere):
        grouped.setdefault((source, bool(active)), []).append(target)
    for (source, active), targets in grouped.items():
        yield Alias(source, sorted(targets), active)


def domains_of(answer: Mapping[str, Any]) -> Iterator[Domain]:
    """Yield the domains of all kinds."""
    for name, active, *rest in answer.get("domains", ()):
        yield Domain(name, "mailboxes", bool(active), "", *rest)
    for name, other, active in answer.get("alias_domains", ()):
        yield Domain(name, "another name", bool(active), other)
    for name, active in answer.get("relay_domains", ()):
        yield Domain(name, "relayed", bool(active))
