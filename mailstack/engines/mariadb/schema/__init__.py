"""The schema in MariaDB: see ``mailstack.engines.schema``. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from mailstack.engines.mariadb import ddl
from mailstack.engines.mariadb.quoting import SESSION, UNLOGGED, literal
from mailstack.engines.schema import COLUMNS, SqlFiles, hashes, names
from mailstack.settings.dovecot import MAIL_DRIVER

FILES = SqlFiles(__name__)
OWN_COLUMNS = {"mailstack_lock": ("name",)}
"""The files beside those of every engine."""


def tables() -> tuple[str, ...]:
    """Return mailstack's tables."""
    return (*COLUMNS, *OWN_COLUMNS)


def values(mail_driver: str = MAIL_DRIVER) -> dict[str, str]:
    """Return the values of the SQL files' placeholders.

    + mail_driver: how the mail of new users is stored
    """
    return {
        **hashes(literal),
        **ddl.values(mail_driver),
        **names(COLUMNS | OWN_COLUMNS, literal),
    }


@cache
def query() -> str:
    """Return SQL that selects ``{"applied": {file: sha256}, "recorded": number, "drift": [names]}`` as JSON.

    A query that names a missing table is an error, so such queries are only executed if the table exists.
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


@cache
def sums(mail_driver: str = MAIL_DRIVER) -> Mapping[str, str]:
    """Return the checksum of each file as it is applied."""
    return FILES.sums(values(mail_driver))


def differences(state: Mapping[str, Any] | None, mail_driver: str = MAIL_DRIVER) -> list[str]:
    """Return the names of what differs; ``None`` stands for a missing database."""
    return FILES.differences(state, sums(mail_driver))


def script(mail_driver: str = MAIL_DRIVER) -> str:
    """Return SQL that fixes all differences, for an administrator to run."""
    filled, applied = values(mail_driver), sums(mail_driver)
    rows = ",\n    ".join(f"({literal(name)}, {literal(sha256)})" for name, sha256 in applied.items())
    return "\n".join(
        [
            UNLOGGED,
            *(FILES.render(name, filled) for name in FILES.parts()),
            f"""
SET SESSION group_concat_max_len = 16777216;
START TRANSACTION;
DELETE FROM mailstack_objects;
INSERT INTO mailstack_objects (name, md5)
SELECT name, MD5(definition) FROM ({FILES.render("objects.sql", filled)}) AS found;
DELETE FROM mailstack_schema WHERE file_name NOT IN ({", ".join(map(literal, applied))});
INSERT INTO mailstack_schema (file_name, sha256) VALUES
    {rows}
ON DUPLICATE KEY UPDATE
    applied_at = IF(sha256 = VALUES(sha256), applied_at, CURRENT_TIMESTAMP), sha256 = VALUES(sha256);
COMMIT;
""",
        ]
    )
