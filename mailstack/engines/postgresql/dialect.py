"""PostgreSQL's SQL that reads and changes accounts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from typing import Any

from mailstack.engines.contract import Rows
from mailstack.engines.lookups import filled
from mailstack.engines.postgresql.quoting import UNLOGGED, identifier, inside, literal

__all__ = [
    "answers",
    "begin",
    "end",
    "health",
    "insert_new",
    "literal",
    "read_rows",
    "read_tables",
    "rows",
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
    """See ``Dialect.read_rows``.

    The answer has lists of columns: PostgreSQL looks up the type of each value in ``json_build_array``, and
    once in an aggregate. A column ``NULL`` has no list.
    """

    def columns_of(rows: Rows) -> str:
        lists = (
            column if column == "NULL" else f"coalesce(json_agg({column}), '[]')" for column in rows.columns
        )
        return f"(SELECT json_build_array({', '.join(lists)}) {rows.source})"

    parts = ", ".join(f"'{name}', {columns_of(rows)}" for name, rows in queries.items())
    return f"SELECT json_build_object({parts})::text"


def rows(answer: Mapping[str, Any]) -> dict[str, list[tuple[Any, ...]]]:
    """See ``Dialect.rows``."""
    return {name: _rows(columns) for name, columns in answer.items()}


def _rows(columns: Sequence[Sequence[Any] | None]) -> list[tuple[Any, ...]]:
    count = next(len(column) for column in columns if column is not None)
    lists = (repeat(None, count) if column is None else column for column in columns)
    return list(zip(*lists, strict=True))


def health() -> str:
    """See ``Dialect.health``."""
    behind = "CASE WHEN NOT pg_is_in_recovery() THEN pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn) END"
    return f"""SELECT json_build_object(
    'version', 'PostgreSQL ' || split_part(current_setting('server_version'), ' ', 1),
    'bytes', pg_database_size(current_database()),
    'connections', (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'),
    'limit', current_setting('max_connections')::int,
    'standby', pg_is_in_recovery(),
    'replicas', (SELECT coalesce(json_agg(json_build_object('name', application_name, 'address', client_addr,
        'state', state, 'behind', {behind})), '[]') FROM pg_stat_replication),
    'idle_slots', (SELECT coalesce(json_agg(slot_name), '[]') FROM pg_replication_slots WHERE NOT active)
)::text"""


def seconds(time: str) -> str:
    """See ``Dialect.seconds``: ``extract`` would count in ``numeric``, which takes longer."""
    return f"floor(date_part('epoch', {time}))::bigint"


def with_key(query: str, local_part: str, domain: str) -> str:
    """See ``Dialect.with_key``."""
    return filled(query, local_part, domain, inside)


def answers(query: str) -> str:
    """See ``Dialect.answers``: the column has the name of a function."""
    return f"({query}) AS asked (address)"


def insert_new(table: str, columns: Sequence[str], rows: str) -> str:
    """See ``Dialect.insert_new``."""
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES\n{rows}\nON CONFLICT DO NOTHING;"
