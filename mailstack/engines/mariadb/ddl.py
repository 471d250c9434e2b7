"""The tables in MariaDB's SQL, as values of its SQL files' placeholders. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from mailstack.addresses import DOMAIN, MAX_ADDRESS
from mailstack.engines.mariadb.quoting import literal
from mailstack.engines.table import Column, Condition, IsAddress, Sql, Table
from mailstack.engines.tables import TABLES
from mailstack.settings.dovecot import MAIL_DRIVER

# Addresses are ASCII, but may be compared with any text, byte by byte.
_COLLATION = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
_TYPES = {
    "address": f"VARCHAR(254) {_COLLATION}",
    "domain": f"VARCHAR(253) {_COLLATION}",
    "word": f"VARCHAR(254) {_COLLATION}",
    "text": f"VARCHAR(1024) {_COLLATION}",
    "boolean": "BOOLEAN",
    "number": "BIGINT",
    "time": "DATETIME",  # UTC
}
_OPTIONS = f"ENGINE = InnoDB DEFAULT {_COLLATION}"
_DEFAULTS = {
    "now": "(UTC_TIMESTAMP())",
    # not a trigger: those are missing for a moment while the schema is applied
    "new directory": (
        "(LOWER(CONCAT(SUBSTRING_INDEX(email, '@', -1), '/', SUBSTRING_INDEX(email, '@', 1), '.', "
        "LEFT(MD5(CONCAT(UUID(), RAND())), 12))))"
    ),
    "mail driver": "{mail_driver}",
}
_FOLDED = {"lower": "LOWER(NEW.{0})", "destination": "mailstack_destination(NEW.{0})"}


def values(mail_driver: str = MAIL_DRIVER) -> dict[str, str]:
    """Return the values of the SQL files' placeholders.

    + mail_driver: how the mail of new users is stored
    """
    derived = [(table, column) for table in TABLES for column in table.columns if column.domain_of]
    found = {
        "table": _OPTIONS,
        **{f"{name}_type": _TYPES[name] for name in ("address", "domain", "text", "word")},
        "make_tables": "\n".join(statement for table in TABLES for statement in _make(table)),
        "derived_rows": "\n            UNION ALL ".join(
            f"SELECT {literal(table.name)}, {literal(column.name)}, {literal(column.domain_of)}"
            for table, column in derived
        ),
        "no_nulls": "\n".join(
            f"UPDATE {table.name} SET {column.name} = FALSE WHERE {column.name} IS NULL;"
            for table in TABLES
            for column in table.columns
            if column.type == "boolean" and column.required
        ),
        "drop_derived": "\n".join(
            f"ALTER TABLE {table.name} DROP COLUMN IF EXISTS {column.name};" for table, column in derived
        ),
        "columns_and_keys": "\n".join(map(_columns_and_keys, TABLES)),
        "rules": "\n".join(rule for table in TABLES for rule in _rules(table)),
        "fold_triggers": "\n".join(trigger for table in TABLES for trigger in _fold_triggers(table)),
    }
    return {name: text.replace("{mail_driver}", literal(mail_driver)) for name, text in found.items()}


def _make(table: Table) -> Iterator[str]:
    first, *_ = plain = [f"{column.name} {_definition(column)}" for column in _plain(table)]
    yield f"CREATE TABLE IF NOT EXISTS {table.name} ({first}) {_OPTIONS};"
    yield _alter(table, (f"ADD COLUMN IF NOT EXISTS {column}" for column in plain))


def _columns_and_keys(table: Table) -> str:
    changes = [f"MODIFY {column.name} {_definition(column)}" for column in _plain(table)]
    changes += [
        f"ADD COLUMN {column.name} {_TYPES[column.type]}"
        f" AS (LOWER(SUBSTRING_INDEX({column.domain_of}, '@', -1))) STORED"
        for column in table.columns
        if column.domain_of
    ]
    for kind, wanted in (("UNIQUE INDEX", table.keys), ("INDEX", table.indexes)):
        for name, columns, *_ in wanted:
            changes += [f"DROP INDEX IF EXISTS {name}", f"ADD {kind} {name} ({', '.join(columns)})"]
    return _alter(table, [*changes, _OPTIONS])


def _plain(table: Table) -> list[Column]:
    return [column for column in table.columns if not column.domain_of]


def _definition(column: Column) -> str:
    required = " NOT NULL" if column.required else ""
    if column.default is None:
        return f"{_TYPES[column.type]}{required}"
    default = _DEFAULTS[column.default.name] if isinstance(column.default, Sql) else literal(column.default)
    return f"{_TYPES[column.type]}{required} DEFAULT {default}"


def _rules(table: Table) -> Iterator[str]:
    changes = [
        f"ADD CONSTRAINT {check.name} CHECK ({' AND '.join(map(_condition, check.conditions))})"
        for check in table.checks
    ]
    for reference in table.references:
        follow = "".join(f" ON {event} CASCADE" for event in reference.follow)
        changes.append(
            f"ADD CONSTRAINT {reference.name} FOREIGN KEY ({reference.column})"
            f" REFERENCES {reference.table} ({reference.to}){follow}"
        )
    if changes:
        yield _alter(table, changes)


def _condition(condition: Condition) -> str:
    """Return a condition as SQL. It excludes newlines, before which ``$`` of a pattern matches too."""
    if isinstance(condition, str):
        return condition
    if isinstance(condition, IsAddress):
        return _is_address(condition)
    pattern = literal(condition.pattern)
    if condition.no:
        return f"{condition.column} NOT REGEXP {pattern}"
    return f"{condition.column} REGEXP {pattern} AND {_one_line(condition.column)}"


def _is_address(condition: IsAddress) -> str:
    column = condition.column
    local, domain = f"SUBSTRING_INDEX({column}, '@', 1)", f"SUBSTRING_INDEX({column}, '@', -1)"
    local_matches = f"{local} REGEXP {literal(condition.local_part)}"
    if condition.or_domain:
        local_matches = f"({column} REGEXP '^@' OR {local_matches})"
    return (
        f"{column} = CONCAT({local}, '@', {domain}) AND {local_matches} AND {domain} REGEXP {literal(DOMAIN)}"
        f" AND LENGTH({column}) <= {MAX_ADDRESS} AND {_one_line(column)}"
    )


def _one_line(column: str) -> str:
    return rf"LOCATE('\n', {column}) = 0"


def _fold_triggers(table: Table) -> Iterator[str]:
    assigned = ", ".join(
        f"NEW.{column.name} = {_FOLDED[column.fold].format(column.name)}"
        for column in table.columns
        if column.fold
    )
    for event in ("INSERT", "UPDATE") if assigned else ():
        name = f"mailstack_{table.name.removeprefix('mail_')}_{event.lower()}"
        yield f"CREATE TRIGGER {name} BEFORE {event} ON {table.name} FOR EACH ROW SET {assigned};"


def _alter(table: Table, changes: Iterable[str]) -> str:
    return f"ALTER TABLE {table.name}\n    " + ",\n    ".join(changes) + ";"
