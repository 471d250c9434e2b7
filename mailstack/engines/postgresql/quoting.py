"""Quote values and names for SQL. Pure.

Scripts go to ``psql`` or ``psycopg2`` as text, because one script makes many changes in one transaction. So
this is the one place where text becomes SQL.
"""

from __future__ import annotations

UNLOGGED = """DO $$ BEGIN
    IF current_setting('is_superuser')::boolean THEN
        PERFORM set_config(name, value, true) FROM (VALUES
            ('log_statement', 'none'),
            ('log_min_error_statement', 'panic'),
            ('log_min_duration_statement', '-1')
        ) AS quiet (name, value);
    END IF;
END $$;
"""
"""Precedes statements with verifiers and hashes, to keep them out of the server's log. Only superusers may
set this."""


def literal(value: str | int | bool | None) -> str:
    r"""Return a constant (PostgreSQL's manual, 4.1.2).

    Text with a backslash is written as ``E'…'``, which does not depend on ``standard_conforming_strings``.
    Raises ``ValueError`` for text that PostgreSQL can't store.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    quoted = "'" + _storable(value).replace("'", "''") + "'"
    return "E" + quoted.replace("\\", "\\\\") if "\\" in quoted else quoted


def inside(text: str) -> str:
    r"""Return text as it stands between quotes without an ``E``, where ``\`` is a character as any other.

    That is so with ``standard_conforming_strings``, PostgreSQL's default. Raises as ``literal``.
    """
    return _storable(text).replace("'", "''")


def identifier(name: str) -> str:
    """Return the name of a role, database or table (PostgreSQL's manual, 4.1.1), always quoted.

    Raises ``ValueError`` for a name that PostgreSQL would refuse or cut short, or that has a ``$``: the name
    may occur in a dollar-quoted body.
    """
    if not name or len(name.encode()) > 63 or "$" in name:
        raise ValueError(f"not a name for a role or database: {name!r}")
    return '"' + _storable(name).replace('"', '""') + '"'


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("text with a NUL character can't be stored")
    text.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
    return text
