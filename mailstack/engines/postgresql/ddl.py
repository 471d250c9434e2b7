"""The tables in PostgreSQL's SQL, as values of its SQL files' placeholders. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from mailstack.addresses import DOMAIN, MAX_ADDRESS
from mailstack.engines.postgresql.quoting import literal
from mailstack.engines.table import Column, Condition, IsAddress, Matches, Sql, Table
from mailstack.engines.tables import TABLES
from mailstack.settings.dovecot import MAIL_DRIVER

_TYPES = {
    **dict.fromkeys(("address", "domain", "word", "text"), "text"),
    "boolean": "boolean",
    "number": "bigint",
    "time": "timestamp with time zone",
}
_FOLDED = {"lower": 'lower(NEW.{0} COLLATE "C")', "destination": "mailstack_destination(NEW.{0})"}


@cache
def values(mail_driver: str = MAIL_DRIVER) -> Mapping[str, str]:
    """Return the values of the SQL files' placeholders.

    + mail_driver: how the mail of new users is stored
    """
    # a default can't use another column, so ``functions/directories.sql`` sets the directory
    defaults = {"now": "now()", "new directory": None, "mail driver": literal(mail_driver)}

    def default(column: Column) -> str | None:
        if isinstance(column.default, Sql):
            return defaults[column.default.name]
        return None if column.default is None else literal(column.default)

    columns = [(table, column) for table in TABLES for column in table.columns]
    derived = [(table, column) for table, column in columns if column.domain_of]
    return {
        "column_rows": _rows(
            (table.name, column.name, _TYPES[column.type], column.required, default(column))
            for table, column in columns
            if not column.domain_of
        ),
        "derived_rows": _rows((table.name, column.name, column.domain_of) for table, column in derived),
        "derived_names": ", ".join(
            f"({literal(table.name)}, {literal(column.name)})" for table, column in derived
        ),
        "key_rows": _rows(
            (table.name, key.name, key.columns, key.primary) for table in TABLES for key in table.keys
        ),
        "rules": "\n".join(rule for table in TABLES for rule in _rules(table)),
        # in the form of pg_get_indexdef
        "indexes": ",\n        ".join(
            literal(
                f"CREATE INDEX {index.name} ON public.{table.name} USING btree ({', '.join(index.columns)})"
            )
            for table in TABLES
            for index in table.indexes
        ),
        "looked_up": ", ".join(table.name for table in TABLES if table.looked_up),
        "fold_cases": "\n        ".join(_fold_case(table) for table in TABLES if table.folded()),
        "fold_triggers": "\n".join(
            f"CREATE TRIGGER mailstack_fold BEFORE INSERT OR UPDATE ON {table.name}\n"
            "    FOR EACH ROW EXECUTE FUNCTION mailstack_fold();"
            for table in TABLES
            if table.folded()
        ),
    }


def _rows(rows: Iterable[tuple[str | bool | tuple[str, ...] | None, ...]]) -> str:
    """Return the rows as for VALUES."""

    def written(value: str | bool | tuple[str, ...] | None) -> str:
        if isinstance(value, tuple):
            return f"ARRAY[{', '.join(map(literal, value))}]"
        return literal(value)

    return ",\n            ".join(f"({', '.join(map(written, row))})" for row in rows)


def _rules(table: Table) -> Iterable[str]:
    add = f"ALTER TABLE {table.name} ADD CONSTRAINT"
    for check in table.checks:
        conditions = "\n    AND ".join(map(_condition, check.conditions))
        yield f"{add} {check.name} CHECK (\n    {conditions}\n) NOT VALID;"
    for reference in table.references:
        follow = "".join(f" ON {event} CASCADE" for event in reference.follow)
        yield (
            f"{add} {reference.name} FOREIGN KEY ({reference.column})"
            f" REFERENCES {reference.table} ({reference.to}){follow} NOT VALID;"
        )


def _condition(condition: Condition) -> str:
    if isinstance(condition, str):
        return condition
    if isinstance(condition, Matches):
        return f"{condition.column} {'!' * condition.no}~ {literal(condition.pattern)}"
    return _is_address(condition)


def _is_address(condition: IsAddress) -> str:
    column = condition.column
    local, domain = f"split_part({column}, '@', 1)", f"split_part({column}, '@', 2)"
    local_matches = f"{local} ~ {literal(condition.local_part)}"
    if condition.or_domain:
        local_matches = f"({column} ~ '^@' OR {local_matches})"
    return (
        f"{column} = {local} || '@' || {domain}\n    AND {local_matches}"
        f"\n    AND {domain} ~ {literal(DOMAIN)}\n    AND length({column}) <= {MAX_ADDRESS}"
    )


def _fold_case(table: Table) -> str:
    """Return the table's branch in ``mailstack_fold``."""
    assigned = " ".join(
        f"NEW.{column.name} := {_FOLDED[column.fold].format(column.name)};"
        for column in table.columns
        if column.fold
    )
    return f"WHEN '{table.name}' THEN {assigned}"
