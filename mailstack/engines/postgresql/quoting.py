"""How a value or a name is written in SQL. Pure.

The scripts go to ``psql`` or ``psycopg2`` as text, because one script does many things in one transaction;
so this is the one place where text becomes SQL.
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
"""Goes before what must not be in the server's log: verifiers and hashes. Only a superuser may ask for it."""


def literal(value: str | int | bool | None) -> str:
    r"""A constant (PostgreSQL's manual, 4.1.2).

    One with a backslash is written as ``E'…'``, which means the same whatever
    ``standard_conforming_strings`` is. Raises ``ValueError`` for text that PostgreSQL can't store.
    """
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    quoted = "'" + _storable(value).replace("'", "''") + "'"
    return "E" + quoted.replace("\\", "\\\\") if "\\" in quoted else quoted


def identifier(name: str) -> str:
    """The name of a role, database or table (PostgreSQL's manual, 4.1.1), always quoted.

    Raises ``ValueError`` for one that PostgreSQL would refuse or cut short, or that has a ``$``: the name
    may come to stand in a dollar-quoted body.
    """
    if not name or len(name.encode()) > 63 or "$" in name:
        raise ValueError(f"not a name for a role or database: {name!r}")
    return '"' + _storable(name).replace('"', '""') + '"'


def _storable(text: str) -> str:
    if "\0" in text:
        raise ValueError("text with a NUL character can't be stored")
    text.encode()  # a lone surrogate is a UnicodeEncodeError, which is a ValueError
    return text
