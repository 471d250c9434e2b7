"""Rows of the tables: by which keys they are known, and a change of one. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

Key = tuple[str, ...]
Values = dict[str, Any]
Rows = Mapping[Key, Values]
Current = Mapping[str, Rows]
"""The rows of each table."""

KEYS: dict[str, Key] = {
    "mail_domain": ("domain_name",),
    "mail_users": ("email",),
    "mail_alias": ("source_email", "destination_email"),
    "mail_sender": ("email", "sender_email"),
    "mail_app_password": ("email", "name"),
    "mail_alias_domain": ("alias_domain",),
    "mail_wildcard": ("local_part", "destination_email"),
    "mail_relay_domain": ("domain_name",),
    "mail_relay_recipient": ("address",),
}
"""The tables, in the order in which foreign keys allow rows to be made, and their keys."""

FORMER = "mail_former_users"
ADDRESSES = "mail_former_addresses"
READ = KEYS | {FORMER: ("email", "directory"), ADDRESSES: ("email",)}
"""What is read beside these: where mail of removed users lies, and addresses that may have rights still."""

DOMAINS = ("mail_domain", "mail_alias_domain", "mail_relay_domain")
"""The tables of domains, each an address class of Postfix (ADDRESS_CLASS_README)."""

WORDS = {
    "mail_domain": "domain",
    "mail_users": "user",
    "mail_alias": "alias",
    "mail_sender": "sender",
    "mail_app_password": "app password",
    "mail_alias_domain": "alias domain",
    "mail_wildcard": "alias in all domains",
    "mail_relay_domain": "relay domain",
    "mail_relay_recipient": "relay recipient",
}
"""What people call a row of each."""


_OWNED = {"mail_sender": "mail_users", "mail_app_password": "mail_users"}
"""Tables whose rows go with the row of another table that their key begins with."""


def folded(key: Key) -> Key:
    """Return a key in lower case."""
    return tuple(part.lower() for part in key)


class Change(NamedTuple):
    """One row to be inserted (``+``), updated (``~``) or deleted (``-``).

    + key: as it is stored, for an update or a delete
    + values: what is written; a ``SecretStr`` is a password that is yet to be hashed
    + note: what people see after the key
    """

    sign: str
    table: str
    key: Key
    values: Values
    note: str = ""

    def __str__(self) -> str:
        """The row as people see it: never with a password or a hash."""
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
        gone = {key for sign, place, key, *_ in changes if (sign, place) == ("-", owner)}
        moved = {
            key[0]: values["email"]
            for _, place, key, values, _ in changes
            if place == owner and "email" in values
        }
        after[table] = {
            (moved.get(key[0], key[0]), *key[1:]): row
            for key, row in after[table].items()
            if key[:1] not in gone
        }
    return after
