"""The check that users' quotas don't exceed their domain's, as in ``functions/quotas.sql``. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from mailstack.accounts.rows import Change, Current, applied
from mailstack.settings.account_rules import QUOTAS, quota_problem


def too_much(changes: Sequence[Change], current: Current) -> Iterator[str]:
    """Yield an error for each changed domain whose quotas the database would refuse after all changes.

    + current: the rows of each table, before the changes
    """
    after = applied(current, changes)
    for name in sorted({_domain(change) for change in changes if _counts(change)}):
        domain = after["mail_domain"].get((name,), {})
        for column, unit in QUOTAS.items():
            if not (limit := domain.get(column)):
                continue
            default = domain.get(f"user_{column}") or 0
            parts = [
                default if (own := user.get(column)) is None else own
                for (email,), user in after["mail_users"].items()
                if email.rpartition("@")[2].lower() == name
            ]
            if problem := quota_problem(name, limit, unit, parts):
                yield problem


def _counts(change: Change) -> bool:
    """Return whether the change affects quotas; as in the database, a new password does not."""
    if change.table not in ("mail_domain", "mail_users"):
        return False
    return change.sign == "+" or any("quota" in name or name == "email" for name in change.values)


def _domain(change: Change) -> str:
    """Return the row's domain after the change."""
    return str(change.values.get("email", change.key[0])).rpartition("@")[2].lower()
