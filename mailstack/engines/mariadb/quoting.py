"""Quote values and names for MariaDB's SQL. Pure."""

from __future__ import annotations

UNLOGGED = "SET SESSION sql_log_off = 1, SESSION slow_query_log = 0;"
"""Precedes statements with hashes, to keep them out of the server's logs. Needs an administrator."""


def literal(value: str | int | bool | None) -> str:
    r"""Return a constant (MariaDB's manual, "String Literals"); ``SESSION`` below makes ``\`` an escape.

    Raises ``ValueError`` for text with a NUL character, or that is not Unicode.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, int):
        return str(value)
    return "'" + _storable(value).replace("\\", "\\\\").replace("'", "''") + "'"


def inside(text: str) -> str:
    """Return text as it stands between quotes. Raises as ``literal``."""
    return literal(text)[1:-1]


def identifier(name: str) -> str:
    """Return the name of a database, table or column, always quoted (MariaDB's manual, "Identifier Names").

    Raises ``ValueError`` for a name that MariaDB would refuse.
    """
    if not name or len(name) > 64:
        raise ValueError(f"not a name for a database or table: {name!r}")
    return "`" + _storable(name).replace("`", "``") + "`"


SESSION = (
    "SET SESSION sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION,ERROR_FOR_DIVISION_BY_ZERO', "
    "NAMES utf8mb4 COLLATE utf8mb4_nopad_bin;"
)
"""The first statement of every session, so that SQL does not depend on the server's ``sql_mode``."""


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("text with a NUL character can't be stored")
    text.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
    return text
