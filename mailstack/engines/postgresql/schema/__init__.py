"""The schema in PostgreSQL: see ``mailstack.engines.schema``. Pure.

All of it is applied in one transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

from mailstack.engines.postgresql import ddl
from mailstack.engines.postgresql.quoting import identifier, literal
from mailstack.engines.schema import COLUMNS, SqlFiles, hashes, names
from mailstack.settings.dovecot import MAIL_DRIVER

FILES = SqlFiles(__name__)


class Schema(NamedTuple):
    """The schema for these roles.

    + owner: the role that owns everything
    + lookup: the role that may only read
    + upgrade: the role that may upgrade a hash
    + webmail: the role of webmail, with a schema of its own of the same name; empty without webmail
    + mail_driver: how the mail of new users is stored
    """

    owner: str
    lookup: str
    upgrade: str
    webmail: str = ""
    mail_driver: str = MAIL_DRIVER

    @property
    def roles(self) -> tuple[str, ...]:
        """The roles."""
        return tuple(filter(None, (self.owner, self.lookup, self.upgrade, self.webmail)))

    @cache  # noqa: B019 - one schema for many hosts
    def query(self) -> str:
        """Return SQL for ``{"applied": {file: sha256}, "recorded": number, "drift": [names]}`` as JSON.

        It also works without the tables of the record, as ``query_to_xml`` takes a query as text.
        """
        return f"""
WITH applied AS ({_if_there("mailstack_schema", "file_name", "sha256")}),
recorded AS ({_if_there("mailstack_objects", "name", "md5")}),
found AS ({self.render("objects.sql")})
SELECT json_build_object(
    'applied', (SELECT coalesce(json_object_agg(key, value), '{{}}'::json) FROM applied),
    'recorded', (SELECT count(*) FROM recorded),
    'drift', (
        SELECT coalesce(json_agg(coalesce(key, name) ORDER BY coalesce(key, name)), '[]'::json)
        FROM recorded FULL JOIN found ON key = name
        WHERE value IS DISTINCT FROM md5(definition) AND (key IS NOT NULL OR name LIKE 'grant %')
    )
)::text"""

    def differences(self, state: Mapping[str, Any] | None) -> list[str]:
        """Return the names of what differs; ``None`` stands for a missing database."""
        return FILES.differences(state, self.sums())

    def script(self) -> str:
        """Return SQL that fixes all differences, for an administrator to run in one transaction."""
        sums = self.sums()
        rows = ",\n    ".join(f"({literal(name)}, {literal(sha256)})" for name, sha256 in sums.items())
        return "\n".join(
            [
                *(self.render(name) for name in FILES.parts()),
                f"""
DELETE FROM mailstack_schema WHERE file_name NOT IN ({", ".join(map(literal, sums))});
INSERT INTO mailstack_schema (file_name, sha256) VALUES
    {rows}
ON CONFLICT (file_name) DO UPDATE SET sha256 = excluded.sha256, applied_at = now()
    WHERE mailstack_schema.sha256 <> excluded.sha256;

DELETE FROM mailstack_objects;
INSERT INTO mailstack_objects (name, md5)
SELECT name, md5(definition) FROM ({self.render("objects.sql")}) AS found;
""",
            ]
        )

    @cache  # noqa: B019
    def sums(self) -> Mapping[str, str]:
        """Return the checksum of each file as it is applied."""
        return FILES.sums(self.values())

    def render(self, name: str) -> str:
        """Return a file of this package for these roles."""
        return FILES.render(name, self.values())

    def values(self) -> dict[str, str]:
        """Return the values of the SQL files' placeholders."""
        return {
            **hashes(literal),
            **ddl.values(self.mail_driver),
            "owner": identifier(self.owner),
            "owner_name": literal(self.owner),
            "lookup": identifier(self.lookup),
            "upgrade": identifier(self.upgrade),
            "webmail_name": literal(self.webmail),
            **names(COLUMNS, literal),
        }


def _if_there(table: str, key: str, value: str) -> str:
    """Return a query for two columns of a table that has no rows if the table is missing."""
    query = literal(f"SELECT {key} AS key, {value} AS value FROM public.{table}")
    return (
        "SELECT key, value FROM XMLTABLE('/table/row' PASSING "
        f"CASE WHEN to_regclass('public.{table}') IS NOT NULL "
        f"THEN query_to_xml({query}, true, false, '') END "
        "COLUMNS key text, value text)"
    )
