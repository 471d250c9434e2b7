"""MariaDB's SQL that reads and changes accounts. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mailstack.engines.contract import Rows
from mailstack.engines.lookups import filled
from mailstack.engines.mariadb.quoting import SESSION, inside, literal

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
    """Return the first statements: a lock. Each script turns logs off already; tables have no owner here."""
    return ["DO GET_LOCK('mailstack', 300);", "SET @mailstack_later = TRUE;"]


def end() -> list[str]:
    """Return the statement for the checks that ``begin`` deferred."""
    return ["CALL mailstack_check_quotas(NULL);"]


def read_tables(tables: Sequence[str]) -> str:
    """See ``Dialect.read_tables``. Each row is a result of its own, because a value is limited in length.

    The first result is empty, so that no rows give a result too. The query is built by another that selects
    the existing tables and columns.
    """
    listed = ", ".join(map(literal, tables))
    return f"""{SESSION}
SET SESSION group_concat_max_len = 1048576;
SET @rows = (
    SELECT GROUP_CONCAT(row_query SEPARATOR ' UNION ALL ') FROM (
        SELECT CONCAT('SELECT JSON_OBJECT(''', table_name, ''', JSON_ARRAY(JSON_OBJECT(', GROUP_CONCAT(
            QUOTE(column_name), ', `', REPLACE(column_name, '`', '``'), '`',
            IF(column_type = 'tinyint(1)', ' <> 0', '') SEPARATOR ', '
        ), '))) FROM ', table_name) AS row_query
        FROM information_schema.columns
        WHERE table_schema = DATABASE() AND table_name IN ({listed})
        GROUP BY table_name
    ) AS queries
);
EXECUTE IMMEDIATE COALESCE(CONCAT('SELECT ''{{}}'' UNION ALL ', @rows), 'DO 0')"""


def read_rows(queries: Mapping[str, Rows]) -> str:
    """See ``Dialect.read_rows``, and ``read_tables`` for the form of the results."""
    parts = (
        f"SELECT JSON_OBJECT('{name}', JSON_ARRAY(JSON_ARRAY({', '.join(columns)}))) {source}"
        for name, (columns, source) in queries.items()
    )
    return f"{SESSION}\nSELECT '{{}}' UNION ALL {' UNION ALL '.join(parts)}"


def rows(answer: Mapping[str, Any]) -> Mapping[str, Sequence[Sequence[Any]]]:
    """See ``Dialect.rows``."""
    return answer


def health() -> str:
    """See ``Dialect.health``; without replication."""
    used = "SELECT SUM(data_length + index_length) FROM information_schema.tables"
    status = "SELECT CAST(variable_value AS INTEGER) FROM information_schema.global_status"
    return f"""SELECT JSON_OBJECT(
    'version', CONCAT('MariaDB ', SUBSTRING_INDEX(VERSION(), '-', 1)),
    'bytes', (SELECT CAST(({used} WHERE table_schema = DATABASE()) AS INTEGER)),
    'connections', ({status} WHERE variable_name = 'THREADS_CONNECTED'),
    'limit', @@max_connections
)"""


def seconds(time: str) -> str:
    """See ``Dialect.seconds``: the column has UTC, whatever the session's time zone is."""
    return f"TIMESTAMPDIFF(SECOND, '1970-01-01', {time})"


def with_key(query: str, local_part: str, domain: str) -> str:
    """See ``Dialect.with_key``."""
    return filled(query, local_part, domain, inside)


def answers(query: str) -> str:
    """See ``Dialect.answers``."""
    return f"({query}) AS asked"


def insert_new(table: str, columns: Sequence[str], rows: str) -> str:
    """See ``Dialect.insert_new``. IGNORE would ignore other errors too."""
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES\n{rows}\n"
        f"ON DUPLICATE KEY UPDATE {columns[0]} = {table}.{columns[0]};"
    )
