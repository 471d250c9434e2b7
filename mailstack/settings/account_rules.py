"""Rules between domains, users and aliases that can be checked on the declared accounts alone."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

from mailstack.settings.errors import nearest

if TYPE_CHECKING:
    from mailstack.settings.accounts import Alias, User
    from mailstack.settings.domains import AliasDomain, Domain

QUOTAS = {"quota_mb": "MiB", "quota_messages": "messages"}
"""The kinds of quotas of a domain and its users, with their units."""


def quota_problem(domain: str, limit: int, unit: str, parts: Iterable[int]) -> str | None:
    """Return the database's error if the quotas of a domain's users exceed the quota of the domain.

    + limit: the quota of the domain
    + parts: the quotas of its users, 0 for no limit
    """
    parts = list(parts)
    if 0 in parts:
        return f"the domain {domain} has a quota of {limit} {unit}, so every user in it needs one"
    if sum(parts) > limit:
        total = f"the quotas of the users in {domain} add up to {sum(parts)} {unit}"
        return f"{total}, more than the {limit} of the domain"
    return None


def too_much(domains: Iterable[Domain], users: Iterable[User]) -> Iterator[str]:
    """Yield an error for each domain whose declared users have larger quotas than the domain.

    Users that are not declared may add to that. A user declared without a quota keeps the one that it has in
    the database.
    """
    parts: defaultdict[tuple[str, str], list[int]] = defaultdict(list)
    for user in users:
        for name in QUOTAS.keys() & user.model_fields_set:
            if (quota := getattr(user, name)) is not None:
                parts[user.email.rpartition("@")[2], name].append(quota)
    for domain in domains:
        for name, unit in QUOTAS.items():
            if limit := getattr(domain, name):
                problem = quota_problem(domain.domain_name, limit, unit, parts[domain.domain_name, name])
                if problem:
                    yield f"mail_users: {problem} ({name} in mail_domains)"


def in_no_domain(
    domains: Iterable[Domain],
    users: Iterable[User],
    aliases: Iterable[Alias],
    alias_domains: Sequence[AliasDomain],
) -> Iterator[str]:
    """Yield an error for each account whose domain is not among ``domains``, the only ones allowed."""
    names = {domain.domain_name for domain in domains}
    needed = [("mail_users", user.email, user.email) for user in users]
    needed += [
        ("mail_aliases", alias.source_email, alias.source_email) for alias in aliases if not alias.everywhere
    ]
    needed += [("mail_alias_domains", other.alias_domain, other.domain_name) for other in alias_domains]
    for setting, account, address in needed:
        if (name := address.rpartition("@")[2]) not in names:
            yield f"{setting}: {account}: there is no domain {name} in mail_domains{nearest(name, names)}"
