"""Whether the quotas of a domain's users fit into its own, as ``030_quotas.sql`` has it. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from mailstack.accounts.rows import Change, Key, Rows, Values
from mailstack.settings.account_rules import QUOTAS, quota_problem


def too_much(changes: Iterable[Change], current: Mapping[str, Rows]) -> Iterator[str]:
    """What the database would refuse: of each domain that a change is about, and as it would be after all.

    + current: the rows of each table, before the changes
    """
    changes = tuple(changes)
    domains, users = (_after(changes, current, table) for table in ("mail_domain", "mail_users"))
    for name in sorted({_domain(change) for change in changes if _counts(change)}):
        domain = domains.get((name,), {})
        for column, unit in QUOTAS.items():
            if not (limit := domain.get(column)):
                continue
            default = domain.get(f"user_{column}") or 0
            parts = [
                default if (own := user.get(column)) is None else own
                for (email,), user in users.items()
                if email.rpartition("@")[2].lower() == name
            ]
            if problem := quota_problem(name, limit, unit, parts):
                yield problem


def _after(changes: Iterable[Change], current: Mapping[str, Rows], table: str) -> dict[Key, Values]:
    rows = dict(current[table])
    for change in changes:
        if change.table == table and change.sign == "-":
            rows.pop(change.key, None)
        elif change.table == table:
            rows[change.key] = {**rows.get(change.key, {}), **change.values}
    return rows


def _counts(change: Change) -> bool:
    """As in the database, which looks at nothing old when a password is changed."""
    if change.sign == "+":
        return change.table in ("mail_domain", "mail_users")
    return change.sign == "~" and any("quota" in name for name in change.values)


def _domain(change: Change) -> str:
    return change.key[0].rpartition("@")[2].lower()
