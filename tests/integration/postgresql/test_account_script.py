"""Accounts on a real PostgreSQL: read by one query, written in one transaction, hostile text included."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest

from mailstack.accounts import sql as account_sql
from mailstack.accounts.plan import plan, undeclared
from mailstack.accounts.wanted import Accounts
from mailstack.engines.postgresql import dialect
from mailstack.passwords import hash_password
from mailstack.settings import Alias, Domain, User
from tests.support.scratch_database import Scratch, scratch
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

HOSTILE = "'); DROP TABLE mail_users; -- \\ \\' $$ %s :x"


@pytest.fixture
def database(server: Target) -> Iterator[Scratch]:
    """Yield a database with the schema."""
    with scratch(server, "accounts") as made:
        made.apply()
        yield made


def accounts(users: int, **attributes: Any) -> Accounts:
    """Return a domain with users and an alias for each of them."""
    return Accounts(
        (Domain(domain_name="example.org"),),
        tuple(
            User(**{"email": f"user{n}@example.org", "initial_password": HOSTILE, **attributes})
            for n in range(users)
        ),
        tuple(
            Alias(
                source_email=f"o'brien{n}@example.org",
                destinations=(f"user{n}@example.org", f"a'{n}@b.example"),
            )
            for n in range(users)
        ),
    )


def write(database: Scratch, wanted: Accounts, *, authoritative: bool = False) -> list[str]:
    """Plan and write; return the rows of the plan."""
    current = account_sql.parse(database.json(account_sql.query(dialect)))
    changes = plan(current, wanted, undeclared(current, wanted) if authoritative else None)
    database.run(
        account_sql.script(dialect, changes, database.schema.owner, lambda text: f"{{X}}{text}"), one=True
    )
    return [str(change) for change in changes]


def test_written_once(database: Scratch) -> None:
    assert len(write(database, accounts(3))) == 1 + 3 + 6
    assert write(database, accounts(3)) == []
    assert database.run("SELECT DISTINCT password FROM mail_users") == "{X}" + HOSTILE


def test_authoritative(database: Scratch) -> None:
    write(database, accounts(3))
    assert write(database, accounts(2)) == []
    assert write(database, accounts(2), authoritative=True) == [
        "- alias o'brien2@example.org -> a'2@b.example",
        "- alias o'brien2@example.org -> user2@example.org",
        "- user user2@example.org",
    ]
    assert write(database, Accounts(), authoritative=True)[-1] == "- domain example.org"
    assert database.run("SELECT count(*) FROM mail_users") == "0"


def test_attributes_are_updated(database: Scratch) -> None:
    write(database, accounts(1))
    changed = accounts(1, quota_mb=5, active=False, home_directory="/var/vmail/x")
    said = "home_directory none -> /var/vmail/x, quota_mb none -> 5, active true -> false"
    assert write(database, changed) == [f"~ user user0@example.org: {said}"]
    assert write(database, changed) == []
    assert write(database, accounts(1, quota_mb=None)) == ["~ user user0@example.org: quota_mb 5 -> none"]


def test_all_or_nothing(database: Scratch) -> None:
    """A script that fails in its last line changes nothing, and prints no hash."""
    wanted = accounts(2)
    changes = plan(account_sql.parse(None), wanted)
    script = account_sql.script(dialect, changes, database.schema.owner, lambda text: f"{{X}}{text}")
    error = database.refused(f"BEGIN;\n{script}\nSELECT 1/0;\nCOMMIT;")
    assert "division by zero" in error and "DROP TABLE" not in error
    assert database.run("SELECT count(*) FROM mail_domain") == "0"


def test_thousands_are_quick(database: Scratch) -> None:
    start = time.monotonic()
    assert len(write(database, accounts(3000))) == 1 + 3 * 3000
    assert write(database, accounts(3000)) == []
    assert time.monotonic() - start < 20


def test_before_the_schema_exists(server: Target) -> None:
    with scratch(server, "nothing") as made:
        assert json.loads(made.run(account_sql.query(dialect))) == {
            "mail_domain": [],
            "mail_users": [],
            "mail_alias": [],
            "mail_sender": [],
            "mail_app_password": [],
            "mail_alias_domain": [],
            "mail_wildcard": [],
            "mail_relay_domain": [],
            "mail_relay_recipient": [],
            "mail_former_users": [],
            "mail_former_addresses": [],
        }


@pytest.mark.parametrize("password", ["plain", "päss wörd", HOSTILE])
def test_dovecot_verifies_the_hash(server: Target, password: str) -> None:
    """doveadm-pw(1): both generations know argon2id, as libsodium makes it."""
    stored = hash_password(password)
    tested = server.exec(["doveadm", "pw", "-t", stored, "-p", password])
    assert tested.stdout.strip() == f"{stored} (verified)"
    assert server.exec(["doveadm", "pw", "-t", stored, "-p", "other"], check=False).returncode != 0
