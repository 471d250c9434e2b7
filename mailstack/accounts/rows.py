"""Rows of the tables: their keys, and a change of one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple

from mailstack.engines.tables import TABLES
from mailstack.settings.types import Model

Key = tuple[str, ...]
Values = dict[str, Any]
Rows = Mapping[Key, Values]
Current = Mapping[str, Rows]
"""The rows of each table."""

_ACCOUNTS = tuple(table for table in TABLES if table.word)

KEYS: dict[str, Key] = {table.name: table.identity for table in _ACCOUNTS}
"""The tables, in the order in which foreign keys allow inserts, with the key columns of each."""

FORMER = "mail_former_users"
ADDRESSES = "mail_former_addresses"
READ = KEYS | {table.name: table.identity for table in TABLES if table.name in (FORMER, ADDRESSES)}
"""Further tables that are read: directories of removed users' mail, addresses that may still have rights."""

DOMAINS = ("mail_domain", "mail_alias_domain", "mail_relay_domain")
"""The tables of domains, each an address class of Postfix (ADDRESS_CLASS_README)."""

WORDS = {table.name: table.word for table in _ACCOUNTS}
"""The name of a row of each table, in messages."""

SECRETS = frozenset(column.name for table in TABLES for column in table.columns if column.secret)
"""Columns whose values are never shown."""

_OWNED = {
    table.name: owner.table
    for table in _ACCOUNTS
    for owner in table.references
    if "DELETE" in owner.follow and owner.column == table.identity[0]
}
"""Tables whose rows are deleted with the row of another table, whose key begins theirs."""


@cache
def settable(table: str, model: type[Model]) -> tuple[str, ...]:
    """Return the columns for which the model has fields, without the key columns."""
    fields = model.model_fields.keys() - set(KEYS[table])
    columns = next(one.columns for one in _ACCOUNTS if one.name == table)
    return tuple(column.name for column in columns if column.name in fields)


def folded(key: Key) -> Key:
    """Return a key in lower case."""
    return tuple(map(str.lower, key))


class Change(NamedTuple):
    """One row to be inserted (``+``), updated (``~``) or deleted (``-``).

    + key: the key, for an update or a delete as it is stored
    + values: the values to write; a ``SecretStr`` is a password that is hashed when it is written
    + note: the text shown after the key
    """

    sign: str
    table: str
    key: Key
    values: Values
    note: str = ""

    def __str__(self) -> str:
        """Return the change as it is shown: never with a password or a hash."""
        return f"{self.sign} {WORDS[self.table]} {' -> '.join(self.key)}{self.note and ': '}{self.note}"


def applied(current: Current, changes: Sequence[Change]) -> Current:
    """Return the rows as they are after the changes."""
    if not changes:
        return current
    after = {table: dict(rows) for table, rows in current.items()}
    for sign, table, key, values, _ in changes:
        row = dict(zip(KEYS[table], key, strict=True)) | after[table].pop(key, {}) | values
        if sign != "-":
            after[table][tuple(row[name] for name in KEYS[table])] = row
    for table, owner in _OWNED.items():
        removed = {key for sign, place, key, *_ in changes if (sign, place) == ("-", owner)}
        moved = {
            key[0]: values["email"]
            for _, place, key, values, _ in changes
            if place == owner and "email" in values
        }
        after[table] = {
            (moved.get(key[0], key[0]), *key[1:]): row
            for key, row in after[table].items()
            if key[:1] not in removed
        }
    return after
