"""PostgreSQL's SQL that reads and changes accounts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from mailstack.engines.contract import Rows
from mailstack.engines.lookups import filled
from mailstack.engines.postgresql.quoting import UNLOGGED, identifier, literal

__all__ = [
    "answers",
    "begin",
    "end",
    "insert_new",
    "literal",
    "read_rows",
    "read_tables",
    "seconds",
    "with_key",
]


def begin(owner: str) -> list[str]:
    """Return the first statements of a transaction: no logging, a lock, the owner's rights."""
    return [
        UNLOGGED,
        "SET LOCAL search_path = public, pg_temp;",
        "DO $$ BEGIN PERFORM pg_advisory_xact_lock(hashtext('mailstack')); END $$;",
        f"SET LOCAL ROLE {identifier(owner)};",
    ]


def end() -> list[str]:
    """Return no statements: constraints across rows are deferred to the end of the transaction."""
    return []


def read_tables(tables: Sequence[str]) -> str:
    """See ``Dialect.read_tables``."""
    parts = ", ".join(f"'{table}', {_rows_of(table)}" for table in tables)
    return f"SELECT json_build_object({parts})::text"


def _rows_of(table: str) -> str:
    """Return a subquery for all rows. ``query_to_xml`` takes it as text, so a missing table is no error."""
    text = literal(f"SELECT jsonb_strip_nulls(to_jsonb(t)) AS row FROM public.{table} t")
    return (
        "(SELECT coalesce(json_agg(row::json), '[]') FROM XMLTABLE('/table/row' PASSING "
        f"CASE WHEN to_regclass('public.{table}') IS NOT NULL "
        f"THEN query_to_xml({text}, false, false, '') END COLUMNS row text))"
    )


def read_rows(queries: Mapping[str, Rows]) -> str:
    """See ``Dialect.read_rows``."""
    parts = ", ".join(
        f"'{name}', (SELECT coalesce(json_agg(json_build_array({', '.join(columns)})), '[]') {source})"
        for name, (columns, source) in queries.items()
    )
    return f"SELECT json_build_object({parts})::text"


def seconds(time: str) -> str:
    """See ``Dialect.seconds``."""
    return f"floor(extract(epoch FROM {time}))::bigint"


def with_key(query: str, local_part: str, domain: str) -> str:
    """See ``Dialect.with_key``."""
    return filled(query, local_part, domain, literal)


def answers(query: str) -> str:
    """See ``Dialect.answers``: the column has the name of a function."""
    return f"({query}) AS asked (address)"


def insert_new(table: str, columns: Sequence[str], rows: str) -> str:
    """See ``Dialect.insert_new``."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES\n{rows}\nON CONFLICT DO NOTHING;"
