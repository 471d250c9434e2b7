"""A database of an older commit becomes like a new one, and loses no row (`schemas/README.md`)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailstack.engines.mariadb import schema as mariadb
from mailstack.engines.mariadb.quoting import SESSION
from tests.support.scratch_database import Scratch, scratch
from tests.targets.containers import Target

SCHEMAS = Path(__file__).with_name("schemas")
ADOPTED = "2c3322b"
ADOPTED_MARIADB = "dc69154"
"""The commits whose databases had tables made by hand, with further columns."""

Rows = dict[str, list[dict[str, Any]]]


def dumps(engine: str) -> list[str]:
    """Return the commits whose databases there are."""
    return sorted(path.stem.partition("-")[2] for path in SCHEMAS.glob(f"{engine}-*.sql"))


def kept(before: Rows, after: Rows) -> bool:
    """Return whether all rows are as they were, but for columns that are new."""
    return all(
        all(any(row.items() <= there.items() for there in after[table]) for row in rows)
        and len(rows) == len(after[table])
        for table, rows in before.items()
    )


def assert_mail_stays(before: Rows, after: Rows) -> None:
    """Assert that users keep their directories, derived from the address at first, and their Maildirs."""
    if "mail_driver" not in before["mail_users"][0]:
        assert {user["mail_driver"] for user in after["mail_users"]} == {"maildir"}
    if "mail_directory" not in before["mail_users"][0]:
        for user in after["mail_users"]:
            local_part, _, domain = user["email"].lower().partition("@")
            assert user["mail_directory"] == f"{domain}/{local_part}"


@pytest.fixture
def database(server: Target) -> Iterator[Scratch]:
    """Yield an empty database in PostgreSQL."""
    with scratch(server, "old") as made:
        yield made


@pytest.mark.postgresql
@pytest.mark.parametrize("commit", dumps("postgresql"))
def test_postgresql(database: Scratch, commit: str) -> None:
    database.run((SCHEMAS / f"postgresql-{commit}.sql").read_text())
    before = rows(database)
    assert before["mail_users"]
    assert database.differences() != []
    differences, objects = database.healed()
    assert differences == []
    after = rows(database)
    assert kept(before, after)
    assert_mail_stays(before, after)
    assert database.healed() == ([], objects), "once more changes nothing"

    old = dumped(database)
    with scratch(database.target, "old") as new:
        new.apply()
        made, fresh = dumped(new), new.objects()
    if commit != ADOPTED:
        assert old == made
    assert {name: alike(one) for name, one in objects.items()} == {
        name: alike(one) for name, one in fresh.items()
    }


def alike(definition: str) -> str:
    """Return a definition without the allowed differences of adopted tables.

    These are rules that existing rows break, and the table's own primary key.
    """
    return definition.replace(" NOT VALID", "").replace("PRIMARY KEY", "UNIQUE")


def rows(database: Scratch) -> Rows:
    """Return all rows of all tables."""
    tables = database.json(
        "SELECT json_agg(relname) FROM pg_class WHERE relname LIKE 'mail\\_%' AND relkind = 'r'"
    )
    parts = ", ".join(f"'{table}', (SELECT coalesce(json_agg(t), '[]') FROM {table} t)" for table in tables)
    found: Rows = database.json(f"SELECT json_build_object({parts})")
    return found


def dumped(database: Scratch) -> list[str]:
    """Return the schema without the order of columns, in which a new one comes last."""
    dump = database.target.exec(["runuser", "-u", "postgres", "--", "pg_dump", "--schema-only", "old"]).stdout
    lines = (line.rstrip(",") for line in dump.splitlines())
    return sorted(line for line in lines if line and "restrict" not in line)


@pytest.fixture
def old(server: Target) -> Iterator[Target]:
    """Yield a server with an empty database `old` in MariaDB."""
    made = "CREATE DATABASE old CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
    mysql(server, f"DROP DATABASE IF EXISTS old; {made}", database="mysql")
    yield server
    mysql(server, "DROP DATABASE old", database="mysql")


@pytest.mark.mariadb
@pytest.mark.parametrize("commit", dumps("mariadb"))
def test_mariadb(old: Target, commit: str) -> None:
    mysql(old, (SCHEMAS / f"mariadb-{commit}.sql").read_text())
    before = mysql_rows(old)
    assert before["mail_users"]
    assert found(old) != []
    mysql(old, mariadb.script())
    assert found(old) == []
    after = mysql_rows(old)
    assert kept(before, after)
    assert_mail_stays(before, after)
    converged = created(old)
    mysql(old, mariadb.script())
    assert (found(old), created(old)) == ([], converged), "once more changes nothing"

    mysql(old, "DROP DATABASE old; CREATE DATABASE old CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin")
    mysql(old, mariadb.script())
    made = created(old)
    if commit != ADOPTED_MARIADB:
        assert converged == made
    else:
        assert [line for line in made if line not in converged] == []


def found(target: Target) -> list[str]:
    """Return the differences that the schema's query finds."""
    return mariadb.differences(json.loads(mysql(target, mariadb.query())))


def mysql(target: Target, sql: str, database: str = "old") -> str:
    """Run SQL as root."""
    client = (
        "mariadb",
        "--no-defaults",
        "--default-character-set=utf8mb4",
        "--batch",
        "--raw",
        "-N",
        "--binary-mode",
    )
    return target.exec([*client, database], input=f"{SESSION}\n{sql}\n").stdout.strip()


def mysql_rows(target: Target) -> Rows:
    """Return all rows of all tables."""
    made: Rows = {table: [] for table in mysql(target, "SHOW TABLES LIKE 'mail\\_%'").splitlines()}
    for table in made:
        columns = mysql(
            target,
            "SELECT column_name FROM information_schema.columns"
            f" WHERE table_schema = 'old' AND table_name = '{table}'",
        )
        pairs = ", ".join(f"'{name}', {name}" for name in columns.splitlines())
        made[table] = [
            json.loads(line)
            for line in mysql(target, f"SELECT JSON_OBJECT({pairs}) FROM {table}").splitlines()
        ]
    return made


def created(target: Target) -> list[str]:
    """Return the tables as SHOW CREATE TABLE has them, without an order; and functions and triggers."""
    dump = (
        "mariadb-dump --no-data --routines --triggers --skip-comments old | sed 's/ AUTO_INCREMENT=[0-9]*//'"
    )
    return sorted(line.rstrip(",") for line in target.exec(dump).stdout.splitlines())
