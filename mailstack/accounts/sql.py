"""How accounts are read from the database, and changed in it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from mailstack.quoting import UNLOGGED, identifier, literal

if TYPE_CHECKING:
    from mailstack.accounts.plan import Change

Key = tuple[str, ...]
Values = dict[str, Any]
Rows = Mapping[Key, Values]

KEYS: dict[str, Key] = {
    "mail_domain": ("domain_name",),
    "mail_users": ("email",),
    "mail_alias": ("source_email", "destination_email"),
    "mail_sender": ("email", "sender_email"),
    "mail_app_password": ("email", "name"),
    "mail_alias_domain": ("alias_domain",),
    "mail_wildcard": ("local_part", "destination_email"),
}
"""The tables, in the order in which foreign keys allow rows to be made, and their keys."""


def query() -> str:
    """SQL that returns all rows as JSON; a table that is not there yet has none."""
    parts = ", ".join(f"'{table}', {_rows_of(table)}" for table in KEYS)
    return f"SELECT json_build_object({parts})::text"


def parse(answer: Mapping[str, Any] | None) -> dict[str, Rows]:
    """The rows of each table by their keys, from what the query returned.

    + answer: ``None`` if there is no database yet
    """
    return {
        table: {tuple(row[name] for name in key): row for row in (answer or {}).get(table, [])}
        for table, key in KEYS.items()
    }


def script(changes: Iterable[Change], owner: str, hash_password: Callable[[str], str]) -> str:
    """The changes as a script for one transaction.

    + owner: the role that owns the tables
    + hash_password: makes what is stored from a password
    """
    changes = tuple(changes)
    statements = [
        UNLOGGED,
        "SET LOCAL search_path = public, pg_temp;",
        "DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('mailstack')); END $$;",
        f"SET LOCAL ROLE {identifier(owner)};",
    ]
    for table in reversed(KEYS):
        statements += _delete(table, [c for c in changes if c.table == table and c.sign == "-"])
    for table in KEYS:
        ours = [change for change in changes if change.table == table]
        statements += [_update(change, hash_password) for change in ours if change.sign == "~"]
        statements += _insert(table, [change for change in ours if change.sign == "+"], hash_password)
    return "\n".join(statements)


def disable(emails: Iterable[str], owner: str) -> str:
    """A script that lets nobody log in to these accounts, or deliver to them.

    + emails: as they are stored
    """
    listed = ", ".join(literal(email) for email in emails)
    return (
        "SET LOCAL search_path = public, pg_temp;\n"
        f"SET LOCAL ROLE {identifier(owner)};\n"
        f"UPDATE mail_users SET active = false WHERE email IN ({listed});"
    )


def _rows_of(table: str) -> str:
    """``query_to_xml`` takes a query as text, so that a table that is not there is no error."""
    text = literal(f"SELECT jsonb_strip_nulls(to_jsonb(t)) AS row FROM public.{table} t")
    return (
        "(SELECT coalesce(json_agg(row::json), '[]') FROM XMLTABLE('/table/row' PASSING "
        f"CASE WHEN to_regclass('public.{table}') IS NOT NULL "
        f"THEN query_to_xml({text}, false, false, '') END COLUMNS row text))"
    )


def _delete(table: str, changes: list[Change]) -> list[str]:
    if not changes:
        return []
    keys = ", ".join(f"({', '.join(literal(part) for part in change.key)})" for change in changes)
    return [f"DELETE FROM {table} WHERE ({', '.join(KEYS[table])}) IN ({keys});"]


def _update(change: Change, hash_password: Callable[[str], str]) -> str:
    assigned = ", ".join(f"{name} = {_value(value, hash_password)}" for name, value in change.values.items())
    named = zip(KEYS[change.table], change.key, strict=True)
    where = " AND ".join(f"{name} = {literal(part)}" for name, part in named)
    return f"UPDATE {change.table} SET {assigned} WHERE {where};"


def _insert(table: str, changes: list[Change], hash_password: Callable[[str], str]) -> list[str]:
    """All new rows in one statement: thousands take a moment. Somebody else may have been quicker."""
    if not changes:
        return []
    columns = (*KEYS[table], *changes[0].values)
    rows = ",\n".join(
        f"({', '.join(_value(value, hash_password) for value in (*change.key, *change.values.values()))})"
        for change in changes
    )
    return [f"INSERT INTO {table} ({', '.join(columns)}) VALUES\n{rows}\nON CONFLICT DO NOTHING;"]


def _value(value: str | int | bool | SecretStr | None, hash_password: Callable[[str], str]) -> str:
    if isinstance(value, SecretStr):
        return literal(hash_password(value.get_secret_value()))
    return literal(value)
