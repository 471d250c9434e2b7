"""The SQL that reads and changes accounts. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from mailstack.accounts.rows import ADDRESSES, FORMER, KEYS, READ, Change, Key, Rows

if TYPE_CHECKING:
    from mailstack.engines import Dialect

Written = Callable[["str | int | bool | SecretStr | None"], str]
"""A function that returns a value as SQL."""


def query(dialect: Dialect, tables: Sequence[str] = tuple(READ)) -> str:
    """Return SQL that selects all rows as JSON; a missing table has none."""
    return dialect.read_tables(tables)


def parse(answer: Mapping[str, Any] | None) -> dict[str, Rows]:
    """Return the rows of each table by their keys.

    + answer: the result of ``query``, or ``None`` if there is no database yet
    """
    return {
        table: {tuple(row[name] for name in key): row for row in (answer or {}).get(table, [])}
        for table, key in READ.items()
    }


def script(
    dialect: Dialect,
    changes: Iterable[Change],
    owner: str,
    hash_password: Callable[[str], str],
    *,
    deleted: Iterable[Key] = (),
) -> str:
    """Return the changes as a script of one transaction.

    + owner: the role that owns the tables
    + hash_password: returns the hash of a password
    + deleted: keys in ``mail_former_users`` of users that are removed with their mail
    """
    changes = tuple(changes)

    def written(value: str | int | bool | SecretStr | None) -> str:
        plain = hash_password(value.get_secret_value()) if isinstance(value, SecretStr) else value
        return dialect.literal(plain)

    statements = dialect.begin(owner)
    for table in reversed(KEYS):
        statements += _delete(table, [c for c in changes if c.table == table and c.sign == "-"], written)
    statements += _delete(FORMER, [Change("-", FORMER, key, {}) for key in deleted], written)
    for table in KEYS:
        selected = [change for change in changes if change.table == table]
        statements += [_update(change, written) for change in selected if change.sign == "~"]
        statements += _insert(dialect, table, [change for change in selected if change.sign == "+"], written)
    return "\n".join([*statements, *dialect.end()])


def disable(dialect: Dialect, emails: Iterable[str], owner: str) -> str:
    """Return a script that disables these users, for logins and delivery.

    + emails: the addresses as they are stored
    """
    listed = ", ".join(map(dialect.literal, emails))
    statement = f"UPDATE mail_users SET active = false WHERE email IN ({listed});"
    return "\n".join([*dialect.begin(owner), statement, *dialect.end()])


def forget(dialect: Dialect, addresses: Iterable[str], owner: str) -> str:
    """Return a script that deletes former addresses, once their rights are revoked."""
    listed = ", ".join(map(dialect.literal, addresses))
    statement = f"DELETE FROM {ADDRESSES} WHERE email IN ({listed});"
    return "\n".join([*dialect.begin(owner), statement, *dialect.end()])


def _delete(table: str, changes: list[Change], written: Written) -> list[str]:
    if not changes:
        return []
    keys = ", ".join(f"({', '.join(map(written, change.key))})" for change in changes)
    return [f"DELETE FROM {table} WHERE ({', '.join(READ[table])}) IN ({keys});"]


def _update(change: Change, written: Written) -> str:
    assigned = ", ".join(f"{name} = {written(value)}" for name, value in change.values.items())
    named = zip(KEYS[change.table], change.key, strict=True)
    where = " AND ".join(f"{name} = {written(part)}" for name, part in named)
    return f"UPDATE {change.table} SET {assigned} WHERE {where};"


def _insert(dialect: Dialect, table: str, changes: list[Change], written: Written) -> list[str]:
    """Return one statement for all new rows with the same columns, as it is fast for thousands.

    It skips rows that exist by now.
    """
    alike: dict[tuple[str, ...], list[str]] = {}
    for change in changes:
        row = ", ".join(map(written, (*change.key, *change.values.values())))
        alike.setdefault(tuple(change.values), []).append(f"({row})")
    return [
        dialect.insert_new(table, (*KEYS[table], *columns), ",\n".join(rows))
        for columns, rows in alike.items()
    ]
