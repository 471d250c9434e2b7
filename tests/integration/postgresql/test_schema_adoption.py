"""A database built by hand from the article is adopted: no row is changed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailstack.accounts import sql as account_sql
from mailstack.accounts.plan import plan, undeclared
from mailstack.accounts.wanted import Accounts
from mailstack.engines.postgresql import dialect
from mailstack.engines.postgresql.schema import FILES
from mailstack.settings import Alias, Domain, User
from tests.support.scratch_database import Scratch, scratch
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

PLAIN = """
CREATE TABLE mail_domain (domain_name varchar(100) PRIMARY KEY, active smallint DEFAULT 1);
CREATE TABLE mail_users (email varchar(100) PRIMARY KEY, password varchar(200) NOT NULL,
    home_directory varchar(200) NOT NULL, active boolean);
CREATE TABLE mail_alias (source_email varchar(100), destination_email varchar(100));
INSERT INTO mail_domain VALUES ('example.org', 1), ('off.example', 0);
INSERT INTO mail_users VALUES ('alice@example.org', '{SHA512-CRYPT}$6$x$y', '/var/vmail/a', true),
    ('bob@example.org', 'x', '/var/vmail/b', NULL);
INSERT INTO mail_alias VALUES ('info@example.org', 'alice@example.org');
"""
ODD = """
CREATE TABLE mail_domain (id serial PRIMARY KEY, domain_name text UNIQUE, active char(1) DEFAULT 'Y',
    who text);
CREATE TABLE mail_users (id serial PRIMARY KEY, email text, password text, home_directory text,
    domain_name text, quota_mb integer DEFAULT 100, note text);
CREATE TABLE mail_alias (id serial PRIMARY KEY, source_email text, destination_email text,
    active int DEFAULT 1);
CREATE INDEX by_note ON mail_users (note);
INSERT INTO mail_domain (domain_name, active, who) VALUES ('Example.ORG', 'Y', 'me'),
    ('under_score', 'N', 'I');
INSERT INTO mail_users (email, password, home_directory, domain_name, note) VALUES
    ('Alice@Example.ORG', 'x', 'example.org/alice', 'Example.ORG', 'hi'),
    ('o''brien+tag@example.org', '', NULL, 'example.org', NULL),
    ('orphan@nowhere.example', 'x', NULL, 'nowhere.example', NULL);
INSERT INTO mail_alias (source_email, destination_email, active) VALUES
    ('Info@nowhere.example', 'alice', 0), ('a@example.org', 'b@example.org', 1);
"""
ROWS = """
SELECT jsonb_build_array(
    (SELECT jsonb_agg(jsonb_strip_nulls(to_jsonb(t)) - 'active' ORDER BY domain_name) FROM mail_domain t),
    (SELECT jsonb_agg(
        jsonb_strip_nulls(to_jsonb(t))
            - '{active,domain_name,mail_directory,mail_driver,quota_mb}'::text[]
            - '{can_send,can_receive,detail_folders}'::text[]
        ORDER BY email
    ) FROM mail_users t),
    (SELECT jsonb_agg(to_jsonb(t) - 'active' - 'domain_name' ORDER BY source_email) FROM mail_alias t)
)
"""
ACTIVE = (
    "SELECT jsonb_agg(lower(left(active::text, 1)) IN ('1', 't', 'y') ORDER BY domain_name) FROM mail_domain"
)


@pytest.fixture
def database(server: Target) -> Iterator[Scratch]:
    """Yield an empty database."""
    with scratch(server, "adopted") as made:
        yield made


@pytest.mark.parametrize("by_hand", [PLAIN, ODD], ids=["plain", "odd"])
def test_adopted(database: Scratch, by_hand: str) -> None:
    database.run(by_hand)
    before, active = database.json(ROWS), database.json(ACTIVE)
    assert database.differences() == list(FILES.parts())
    differences, objects = database.healed()
    assert differences == []
    assert (database.json(ROWS), database.json(ACTIVE)) == (before, active)
    assert database.healed() == ([], objects), "once more changes nothing"
    for column in ("domain.active", "users.quota_mb", "users.domain_name", "alias.domain_name"):
        assert f"column mail_{column}" in objects


def test_a_missing_active_is_false(database: Scratch) -> None:
    """No lookup has ever found such a row."""
    database.run(PLAIN)
    _, objects = database.healed()
    assert database.run("SELECT email FROM mail_users WHERE NOT active") == "bob@example.org"
    assert objects["column mail_users.active"] == "boolean t  true"


def test_rules_that_old_rows_break_hold_for_new_ones(database: Scratch) -> None:
    database.run(ODD)
    _, objects = database.healed()
    not_valid = {name.split()[1] for name, definition in objects.items() if "NOT VALID" in definition}
    assert not_valid == {
        "mailstack_domain_form",
        "mailstack_users_form",
        "mailstack_users_home",
        "mailstack_users_password",
        "mailstack_users_domain",
        "mailstack_alias_destination_form",
        "mailstack_alias_source_form",
        "mailstack_alias_domain",
    }
    for name, values in {
        "mailstack_users_form": "('new+tag@example.org', 'x', NULL)",
        "mailstack_users_password": "('new@example.org', '', NULL)",
        "mailstack_users_home": "('new@example.org', 'x', 'example.org/new')",
        "mailstack_users_domain": "('new@nowhere.example', 'x', NULL)",
    }.items():
        insert = f"INSERT INTO mail_users (email, password, home_directory) VALUES {values}"
        assert name in database.refused(insert)


def test_drift_of_an_adopted_database_is_fixed(database: Scratch) -> None:
    database.run(ODD)
    _, objects = database.healed()
    tampered = (
        "DROP INDEX mailstack_alias_destination;"
        "ALTER TABLE mail_users DROP CONSTRAINT mailstack_users_key CASCADE"
    )
    assert database.differences(after=tampered) == [
        "constraint mailstack_app_password_user on mail_app_password",
        "constraint mailstack_last_login_user on mail_last_login",
        "constraint mailstack_sender_user on mail_sender",
        "constraint mailstack_users_key on mail_users",
        "index mailstack_alias_destination on mail_alias",
    ]
    assert database.healed() == ([], objects)


def test_a_rule_is_validated_once_the_old_rows_are_deleted(database: Scratch) -> None:
    database.run(ODD)
    database.apply()
    database.run("DELETE FROM mail_users WHERE email LIKE 'o%'; DELETE FROM mail_alias")
    _, objects = database.healed()
    assert "NOT VALID" not in objects["constraint mailstack_users_password on mail_users"]
    assert "NOT VALID" not in objects["constraint mailstack_alias_domain on mail_alias"]
    assert "NOT VALID" in objects["constraint mailstack_users_form on mail_users"]


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (
            "INSERT INTO mail_alias VALUES ('info@example.org', 'alice@example.org')",
            "mail_alias has more than one row",
        ),
        (
            "ALTER TABLE mail_users ADD COLUMN domain_name text;"
            "UPDATE mail_users SET domain_name = 'another.example'",
            "mail_users.domain_name is not the domain of the address in every row",
        ),
    ],
)
def test_rows_that_can_not_be_adopted_are_named_and_left(database: Scratch, row: str, said: str) -> None:
    database.run(PLAIN + row)
    before = database.json(ROWS)
    assert said in database.refused(f"BEGIN;\n{database.schema.script()}\nCOMMIT;")
    assert database.json(ROWS) == before
    assert database.differences() == list(FILES.parts())


def test_accounts_in_upper_case_become_the_declared_ones(database: Scratch) -> None:
    """Postfix and Dovecot look up lower case, so no lookup found such a row before."""
    database.run(ODD)
    database.apply()
    accounts = Accounts(
        (Domain(domain_name="example.org"),),
        (User(email="alice@example.org", home_directory="/var/vmail/alice"),),
        (Alias(source_email="a@example.org", destinations=("b@example.org",)),),
    )
    current = account_sql.parse(database.json(account_sql.query(dialect)))
    changes = plan(current, accounts, undeclared(current, accounts))
    assert [str(change) for change in changes] == [
        "- alias Info@nowhere.example -> alice",
        "- user o'brien+tag@example.org",
        "- user orphan@nowhere.example",
        "- domain under_score",
        "~ domain Example.ORG: in lower case",
        "~ user Alice@Example.ORG: in lower case, home_directory example.org/alice -> /var/vmail/alice",
    ]
    database.run(account_sql.script(dialect, changes, database.schema.owner, str), one=True)
    again = account_sql.parse(database.json(account_sql.query(dialect)))
    assert plan(again, accounts, undeclared(again, accounts)) == []
    assert again["mail_users"][("alice@example.org",)]["note"] == "hi"
