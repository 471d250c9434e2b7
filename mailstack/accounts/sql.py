"""How accounts are read from the database, and changed in it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from mailstack.accounts.rows import ADDRESSES, FORMER, KEYS, READ, Change, Key, Rows

if TYPE_CHECKING:
    from mailstack.engines import Dialect

Written = Callable[["str | int | bool | SecretStr | None"], str]
"""What turns a value into SQL."""


def query(dialect: Dialect, tables: Sequence[str] = tuple(READ)) -> str:
    """SQL that returns all rows as JSON; a table that is not there yet has none."""
    return dialect.read_tables(tables)


def parse(answer: Mapping[str, Any] | None) -> dict[str, Rows]:
    """The rows of each table by their keys, from what the query returned.

    + answer: ``None`` if there is no database yet
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
    """The changes as a script for one transaction.

    + owner: the role that owns the tables
    + hash_password: makes what is stored from a password
    + deleted: keys of ``mail_former_users``, of users that are removed with their mail
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
        ours = [change for change in changes if change.table == table]
        statements += [_update(change, written) for change in ours if change.sign == "~"]
        statements += _insert(dialect, table, [change for change in ours if change.sign == "+"], written)
    return "\n".join([*statements, *dialect.end()])


def disable(dialect: Dialect, emails: Iterable[str], owner: str) -> str:
    """A script that lets nobody log in to these accounts, or deliver to them.

    + emails: as they are stored
    """
    listed = ", ".join(map(dialect.literal, emails))
    statement = f"UPDATE mail_users SET active = false WHERE email IN ({listed});"
    return "\n".join([*dialect.begin(owner), statement, *dialect.end()])


def forget(dialect: Dialect, addresses: Iterable[str], owner: str) -> str:
    """A script that forgets former addresses, which have no rights any more."""
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
    """All new rows in one statement: thousands take a moment. Somebody else may have been quicker."""
    if not changes:
        return []
    columns = (*KEYS[table], *changes[0].values)
    rows = ",\n".join(
        f"({', '.join(map(written, (*change.key, *change.values.values())))})" for change in changes
    )
    return [dialect.insert_new(table, columns, rows)]
