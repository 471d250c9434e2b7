"""The schema files of all engines: how they are applied, and how a difference is found. Pure.

An engine's package ``schema`` has these files, in the order in which they are applied:

- ``begin.sql``: owners and rights, and the record of applied files
- ``steps.sql``: one-time changes of existing rows; each step runs if its result does not exist yet
- ``tables.sql``: columns, keys, rules and indexes, from ``mailstack.engines.tables``
- ``functions/``: functions and triggers, a file for each topic

All files can be applied again at any time: they create objects, adopt those made by hand, and fix changed
ones. So any difference is fixed by applying all of them again. That records the applied files in
``mailstack_schema`` and the resulting objects in ``mailstack_objects``. Drift is the difference between that
record and the catalog.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from mailstack.engines.tables import TABLES
from mailstack.passwords import CURRENT_SCHEME
from mailstack.settings.password_hashes import CRYPT_FORMS, SALTED

RECORD = {
    "mailstack_schema": ("file_name", "sha256", "applied_at"),
    "mailstack_objects": ("name", "md5"),
}
"""The tables of the record, which ``begin.sql`` creates, and their columns."""

COLUMNS = {table.name: tuple(column.name for column in table.columns) for table in TABLES} | RECORD
"""mailstack's tables, and mailstack's columns in them."""


def names(columns: Mapping[str, tuple[str, ...]], literal: Callable[[str], str]) -> dict[str, str]:
    """Return placeholders of the SQL files: the names of tables and columns.

    + literal: the engine's function for constants
    """
    pairs = ((table, column) for table, own in columns.items() for column in own)
    return {
        "tables": ", ".join(map(literal, columns)),
        "columns": ", ".join(f"({literal(table)}, {literal(column)})" for table, column in pairs),
    }


def hashes(literal: Callable[[str], str]) -> dict[str, str]:
    """Return placeholders of the SQL files: the hashes that a login replaces, and the new scheme.

    + literal: the engine's function for constants
    """
    return {
        "current_scheme": CURRENT_SCHEME,
        "current_hash": literal(f"^[{{]{CURRENT_SCHEME}[}}]{CRYPT_FORMS[CURRENT_SCHEME]}$"),
        "salted_hash": literal(SALTED),
    }


class SqlFiles(NamedTuple):
    """The SQL files of a package, with values for their ``{placeholders}``.

    + package: its name
    """

    package: str

    def parts(self) -> tuple[str, ...]:
        """Return the files of the schema, in the order in which they are applied."""
        return _parts(self.package)

    def text_of(self, name: str) -> str:
        """Return the text of a file."""
        return _text_of(self.package, name)

    def render(self, name: str, values: Mapping[str, str]) -> str:
        """Return the text of a file with the values filled in."""
        return re.sub(r"\{([a-z_]+)\}", lambda match: values[match[1]], self.text_of(name))

    def sums(self, values: Mapping[str, str]) -> Mapping[str, str]:
        """Return the checksum of each file as it is applied."""
        rendered = {name: self.render(name, values) for name in self.parts()}
        return {name: hashlib.sha256(text.encode()).hexdigest() for name, text in rendered.items()}

    @staticmethod
    def differences(state: Mapping[str, Any] | None, sums: Mapping[str, str]) -> list[str]:
        """Return the names of the objects and files that differ.

        + state: ``{"applied": {file: sha256}, "recorded": number, "drift": [names]}``; ``None`` if there is
          no database yet
        + sums: the checksum of each file as it is applied
        """
        applied = state["applied"] if state else {}
        outdated = [name for name, sha256 in sums.items() if applied.get(name) != sha256]
        drift = list(state["drift"]) if state and applied else []
        if drift and state and not state["recorded"]:
            drift = ["table mailstack_objects"]
        if "search_path of database" in drift:  # PostgreSQL shortens the names in definitions by it
            drift = [name for name in drift if not re.match("constraint|index|trigger", name)]
        lost = {name.removeprefix("table ") for name in drift if re.match("table ", name)}
        return outdated + [name for name in drift if name.startswith("table ") or not _part_of(name, lost)]


@cache
def _parts(package: str) -> tuple[str, ...]:
    functions = files(package).joinpath("functions")
    topics = sorted(entry.name for entry in functions.iterdir() if entry.name.endswith(".sql"))
    return ("begin.sql", "steps.sql", "tables.sql", *(f"functions/{name}" for name in topics))


@cache
def _text_of(package: str, name: str) -> str:
    return files(package).joinpath(name).read_text(encoding="utf-8")


def _part_of(name: str, tables: set[str]) -> bool:
    """Return whether an object belongs to one of the tables, so that the table's name is enough."""
    return any(re.search(rf"\b{table}\b", name) for table in tables)
