"""The list of domains, users and aliases: its filters, and its text. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from operator import itemgetter
from typing import Any

from mailstack import text
from mailstack.accounts.listed import (
    KINDS,
    SERVICES,
    Alias,
    Domain,
    User,
    aliases_of,
    domains_of,
    minute,
    user_of,
)


@dataclass(frozen=True)
class Filters:
    """Conditions that all hold for each listed account.

    + inactive: only what is disabled, or in a disabled domain
    + never: only users that have never logged in
    + over: only users who use more than this percentage of their quota
    + text: only what has this text in an address
    """

    domain: str | None = None
    inactive: bool = False
    never: bool = False
    over: int | None = None
    text: str | None = None

    def users(self, users: Iterable[User]) -> Iterator[User]:
        """Yield the users for which they hold, except for ``over``."""
        end = f"@{self.domain}"
        for user in users:
            if (
                (self.domain is None or user.email.endswith(end))
                and not (self.inactive and user.active)
                and not (self.never and any(user.seen))
                and (self.text is None or self.text in user.email)
            ):
                yield user

    def over_quota(self, users: Iterable[User]) -> list[User]:
        """Return the users whose share is known to be above ``over``."""
        if self.over is None:
            return [*users]
        return [user for user in users if user.share is not None and user.share > self.over]

    def aliases(self, aliases: Iterable[Alias]) -> Iterator[Alias]:
        """Yield the aliases for which they hold."""
        end = f"@{self.domain}"
        for alias in aliases:
            if (
                (self.domain is None or alias.source.endswith((end, "@*")))
                and not (self.inactive and alias.active)
                and (self.text is None or self.text in " ".join((alias.source, *alias.destinations)).lower())
            ):
                yield alias

    def domains(self, domains: Iterable[Domain]) -> Iterator[Domain]:
        """Yield the domains for which they hold; also other names of the domain."""
        for domain in domains:
            if (
                (self.domain is None or self.domain in (domain.name, domain.of))
                and not (self.inactive and domain.active)
                and (self.text is None or self.text in domain.name)
            ):
                yield domain


@dataclass
class Listing:
    """The accounts of a server.

    + host: the host with the database
    + kinds: the kinds that were asked for
    """

    host: str
    kinds: Sequence[str] = KINDS
    users: list[User] = field(default_factory=list)
    aliases: list[Alias] = field(default_factory=list)
    domains: list[Domain] = field(default_factory=list)

    @classmethod
    def of(cls, host: str, kinds: Sequence[str], answer: Mapping[str, Any], filters: Filters) -> Listing:
        """Return the listing from the answer to ``queries``, without what the filters exclude."""
        return cls(
            host,
            kinds,
            sorted(filters.users(map(user_of, answer.get("users", ()))), key=itemgetter(0)),
            sorted(filters.aliases(aliases_of(answer))),
            sorted(filters.domains(domains_of(answer))),
        )

    def json(self) -> str:
        """Return it as one JSON object, with a line for each account."""
        parts = [f'"host": {json.dumps(self.host)}']
        for kind in self.kinds:
            lines = ",\n".join([each.json() for each in getattr(self, kind)])
            parts.append(f'"{kind}": [\n{lines}\n]')
        return f"{{{', '.join(parts)}}}\n"

    def table(self) -> str:
        """Return tables for a person."""
        tables = {"users": self._users, "aliases": self._aliases, "domains": self._domains}
        return "\n".join(tables[kind]() for kind in self.kinds)

    def _users(self) -> str:
        users = self.users
        shares = [user.share for user in users]
        seen = zip(*(user.seen for user in users), strict=True)
        shown = text.columns(
            [
                ("USER", [user.email for user in users]),
                ("", [_off(user.active) for user in users]),
                ("USED", [f"{user.used.kilobytes / 1024:.1f} MiB" if user.used else "" for user in users]),
                ("", ["" if share is None else f"{share:.0f} %" for share in shares]),
                ("QUOTA", [_quota(user.quota_mb, user.quota_messages) for user in users]),
                *(
                    (f"LAST {name.upper()}", ["" if at is None else minute(at) for at in times])
                    for name, times in zip(SERVICES, seen, strict=bool(users))
                ),
            ]
        )
        return f"{_count(users, 'user')}\n{shown}"

    def _aliases(self) -> str:
        rows = [(alias.source, _off(alias.active), ", ".join(alias.destinations)) for alias in self.aliases]
        return f"{_count(self.aliases, 'alias')}\n" + text.table(("ALIAS", "", "DESTINATIONS"), rows)

    def _domains(self) -> str:
        head = ("DOMAIN", "", "KIND", "QUOTA", "OF A USER", "USERS", "ALIASES")
        rows = [
            (
                domain.name,
                _off(domain.active),
                f"{domain.kind} of {domain.of}" if domain.of else domain.kind,
                _size(domain.quota_mb),
                _size(domain.user_quota_mb),
                "" if domain.users is None else str(domain.users),
                "" if domain.aliases is None else str(domain.aliases),
            )
            for domain in self.domains
        ]
        return f"{_count(self.domains, 'domain')}\n" + text.table(head, rows)


@cache
def _quota(megabytes: int, messages: int) -> str:
    return ", ".join(filter(None, [_size(megabytes), f"{messages} messages" if messages else ""]))


def _size(megabytes: int | None) -> str:
    return f"{megabytes} MiB" if megabytes else ""


def _off(active: bool) -> str:
    return "" if active else "disabled"


def _count(listed: Sequence[object], word: str) -> str:
    plural = f"{word}es" if word.endswith("s") else f"{word}s"
    return f"{len(listed)} {word if len(listed) == 1 else plural}"
