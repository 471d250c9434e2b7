"""The tables in MariaDB, as numbered SQL files: see ``mailstack.engines.schema``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailstack.engines.mariadb.quoting import SESSION, UNLOGGED, literal
from mailstack.engines.schema import COLUMNS, SqlFiles, names, rules

FILES = SqlFiles(__name__)
OWN_COLUMNS = {"mailstack_lock": ("name",)}
"""Beside those that every engine has."""

# Addresses are ASCII, but may be compared with anything; every byte of them counts.
_COLLATION = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"


def tables() -> tuple[str, ...]:
    """Our tables."""
    return (*COLUMNS, *OWN_COLUMNS)


def values() -> dict[str, str]:
    """What the SQL files have placeholders for."""
    return {
        **rules(literal),
        **names(COLUMNS | OWN_COLUMNS, literal),
        "table": f"ENGINE = InnoDB DEFAULT {_COLLATION}",
        "address_type": f"VARCHAR(254) {_COLLATION}",
        "domain_type": f"VARCHAR(253) {_COLLATION}",
        "text": f"VARCHAR(1024) {_COLLATION}",
        "boolean": "BOOLEAN NOT NULL DEFAULT TRUE",
        "no": "BOOLEAN NOT NULL DEFAULT FALSE",
    }


def query() -> str:
    """SQL that returns ``{"applied": {file: sha256}, "recorded": number, "drift": [names]}`` as JSON.

    A query that names a table that is not there would be an error, so those are made when it is known.
    """
    drift = f"""
SELECT JSON_ARRAYAGG(recorded.name ORDER BY recorded.name), (SELECT COUNT(*) FROM mailstack_objects)
INTO @drift, @recorded
FROM mailstack_objects AS recorded LEFT JOIN ({FILES.render("objects.sql", values())}) AS found
    ON found.name = recorded.name
WHERE found.name IS NULL OR MD5(found.definition) <> recorded.md5"""
    return f"""{SESSION}
SET SESSION group_concat_max_len = 16777216, @applied = NULL, @recorded = 0,
    @drift = '["table mailstack_objects"]', @schema_there = ({_there("mailstack_schema")}),
    @objects_there = ({_there("mailstack_objects")});
EXECUTE IMMEDIATE IF(@schema_there,
    'SELECT JSON_OBJECTAGG(file_name, sha256) INTO @applied FROM mailstack_schema', 'DO 0');
EXECUTE IMMEDIATE IF(@objects_there, {literal(drift)}, 'DO 0');
SELECT JSON_OBJECT('applied', JSON_COMPACT(COALESCE(@applied, '{{}}')), 'recorded', @recorded,
    'drift', JSON_COMPACT(COALESCE(@drift, '[]')))"""


def _there(table: str) -> str:
    return (
        "SELECT COUNT(*) FROM information_schema.tables"
        f" WHERE table_schema = DATABASE() AND table_name = {literal(table)}"
    )


def differences(state: Mapping[str, Any] | None) -> list[str]:
    """What has to be put right, by name; ``None``: there is no database yet."""
    return FILES.differences(state, values())


def script() -> str:
    """SQL, to be run by an administrator, that puts everything right."""
    rows = ",\n    ".join(
        f"({literal(name)}, {literal(sha256)})" for name, sha256 in FILES.sums(values()).items()
    )
    return "\n".join(
        [
            UNLOGGED,
            FILES.render("begin.sql", values()),
            *(FILES.render(name, values()) for name in FILES.numbered()),
            f"""
SET SESSION group_concat_max_len = 16777216;
START TRANSACTION;
DELETE FROM mailstack_objects;
INSERT INTO mailstack_objects (name, md5)
SELECT name, MD5(definition) FROM ({FILES.render("objects.sql", values())}) AS found;
INSERT INTO mailstack_schema (file_name, sha256) VALUES
    {rows}
ON DUPLICATE KEY UPDATE
    applied_at = IF(sha256 = VALUES(sha256), applied_at, CURRENT_TIMESTAMP), sha256 = VALUES(sha256);
COMMIT;
""",
        ]
    )
