"""How accounts are read and changed in PostgreSQL. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from mailstack.engines.postgresql.quoting import UNLOGGED, identifier, literal

__all__ = ["begin", "end", "insert_new", "literal", "read_tables"]


def begin(owner: str) -> list[str]:
    """What stands before changes, in their transaction: unlogged, alone, with the owner's rights."""
    return [
        UNLOGGED,
        "SET LOCAL search_path = public, pg_temp;",
        "DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('mailstack')); END $$;",
        f"SET LOCAL ROLE {identifier(owner)};",
    ]


def end() -> list[str]:
    """See ``Dialect.end``: nothing, rules that look at several rows do so when the transaction ends."""
    return []


def read_tables(tables: Sequence[str]) -> str:
    """See ``Dialect.read_tables``."""
    parts = ", ".join(f"'{table}', {_rows_of(table)}" for table in tables)
    return f"SELECT json_build_object({parts})::text"


def _rows_of(table: str) -> str:
    """``query_to_xml`` takes a query as text, so that a table that is not there is no error."""
    text = literal(f"SELECT jsonb_strip_nulls(to_jsonb(t)) AS row FROM public.{table} t")
    return (
        "(SELECT coalesce(json_agg(row::json), '[]') FROM XMLTABLE('/table/row' PASSING "
        f"CASE WHEN to_regclass('public.{table}') IS NOT NULL "
        f"THEN query_to_xml({text}, false, false, '') END COLUMNS row text))"
    )


def insert_new(table: str, columns: Sequence[str], rows: str) -> str:
    """See ``Dialect.insert_new``."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES\n{rows}\nON CONFLICT DO NOTHING;"
