"""Rows that the tables accept and refuse, the rights of the roles, and the text of lookups."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

import pytest

from mailstack import addresses
from mailstack.engines.postgresql.quoting import literal
from tests.support.scratch_database import Scratch, scratch
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

HOSTILE = 'it\'s a \\ "trap" $1 %s :name ;-- \n\t é 😀 {owner}'


@pytest.fixture(scope="module")
def database(server: Target) -> Iterator[Scratch]:
    """Yield a database with the schema."""
    with scratch(server, "rules") as made:
        made.apply()
        yield made


ADDRESSES = [
    *(
        "alice@example.org",
        "a.b-c_d@sub.example.org",
        "o'brien@example.org",
        "a=b@example.org",
        "ALICE@Example.ORG",
    ),
    *(
        "",
        "@",
        "alice",
        "alice@",
        "@example.org",
        "alice@@example.org",
        "a@b@example.org",
        "alice@example.org@",
    ),
    *(
        ".a@example.org",
        "a.@example.org",
        "a..b@example.org",
        "-a@example.org",
        "a+b@example.org",
        "a b@example.org",
    ),
    *("a%b@example.org", "a/b@example.org", "ä@example.org", "alice@exämple.org", '"a b"@example.org'),
    *("alice@example", "alice@-example.org", "alice@example-.org", "alice@example..org", "alice@192.0.2.1"),
    *("alice@example.org\n", "\nalice@example.org", "alice@example.org.", "{x}|~^?*&$#!@example.org"),
    *(
        "x" * 64 + "@example.org",
        "x" * 65 + "@example.org",
        "a@" + "x" * 63 + ".org",
        "a@" + "x" * 64 + ".org",
    ),
    *("a@" + "x." * 125 + "org", "x" * 64 + "@" + "y." * 93 + "org", "x" * 64 + "@" + "y." * 94 + "org"),
]


def python_accepts(check: Callable[[str], str], text: str) -> bool:
    """Return whether the settings accept it unchanged, as only they convert Unicode domains to A-labels."""
    try:
        return check(text).lower() == text.lower()
    except ValueError:
        return False


def test_database_and_settings_accept_the_same_addresses(database: Scratch) -> None:
    """If one accepts an address that the other refuses, mail to it bounces."""
    columns: dict[str, Callable[[str], str]] = {
        "mail_users.email": addresses.mailbox_address,
        "mail_alias.source_email": addresses.alias_source,
        "mail_alias.destination_email": addresses.destination_address,
    }
    cases = [(column, text) for column in columns for text in ADDRESSES]
    rows = ", ".join(f"({literal(column)}, {literal(text)})" for column, text in cases)
    accepted = json.loads(
        database.run(
            "BEGIN; CREATE TABLE tried (place text, address text, accepted boolean);"
            "DO $tried$ DECLARE c record; BEGIN "
            f"FOR c IN SELECT * FROM (VALUES {rows}) AS v (place, address) LOOP "
            "DECLARE d text := lower(substring(c.address FROM '[^@]*$')); ok boolean := true; BEGIN "
            "  BEGIN INSERT INTO mail_domain VALUES (d, true) ON CONFLICT DO NOTHING;"
            "  CASE c.place"
            "    WHEN 'mail_users.email' THEN"
            "      INSERT INTO mail_users (email, password) VALUES (c.address, 'x') ON CONFLICT DO NOTHING;"
            "    WHEN 'mail_alias.source_email' THEN"
            "      INSERT INTO mail_alias VALUES (c.address, 'a@example.org') ON CONFLICT DO NOTHING;"
            "    ELSE INSERT INTO mail_domain VALUES ('source.example', true) ON CONFLICT DO NOTHING;"
            "      INSERT INTO mail_alias VALUES ('@source.example', c.address) ON CONFLICT DO NOTHING;"
            "  END CASE;"
            "  EXCEPTION WHEN check_violation THEN ok := false; END;"
            "  INSERT INTO tried VALUES (c.place, c.address, ok); END; "
            "END LOOP; END $tried$;"
            "SELECT json_agg(json_build_array(place, address, accepted)) FROM tried; ROLLBACK"
        )
    )
    wanted = [[column, text, python_accepts(columns[column], text)] for column, text in cases]
    assert [case for case in accepted if case not in wanted] == []
    assert len(accepted) == len(cases) and {case[2] for case in accepted} == {True, False}


REFUSED = {
    "INSERT INTO mail_users (email, password) VALUES ('x@nowhere.example', 'x')": "mailstack_users_domain",
    "INSERT INTO mail_alias VALUES ('x@nowhere.example', 'a@b.example')": "mailstack_alias_domain",
    "INSERT INTO mail_users (email, password) VALUES ('x@example.org', '')": "mailstack_users_password",
    "INSERT INTO mail_users (email) VALUES ('x@example.org')": "password",
    "UPDATE mail_users SET quota_mb = -1": "mailstack_users_quota",
    "UPDATE mail_users SET quota_messages = -1": "mailstack_users_quota_messages",
    "UPDATE mail_domain SET user_quota_mb = -1": "mailstack_domain_quota",
    "UPDATE mail_domain SET quota_mb = 9; COMMIT": "every user in it needs one",
    "UPDATE mail_domain SET quota_messages = 9, user_quota_messages = 10; COMMIT": "add up to 10 messages",
    "UPDATE mail_domain SET quota_mb = 9; UPDATE mail_users SET quota_mb = 4;"
    "INSERT INTO mail_users (email, password, quota_mb) VALUES ('b@example.org', 'x', 6); COMMIT": (
        "the quotas of the users in example.org add up to 10 MiB, more than the 9 of the domain"
    ),
    "UPDATE mail_users SET mail_driver = 'mbox'": "mailstack_users_driver",
    "UPDATE mail_users SET mail_driver = NULL": "mail_driver",
    "UPDATE mail_users SET home_directory = 'vmail'": "mailstack_users_home",
    "UPDATE mail_users SET home_directory = '/vmail/../etc'": "mailstack_users_home",
    "UPDATE mail_users SET home_directory = E'/vmail/a\\nb'": "mailstack_users_home",
    "INSERT INTO mail_domain VALUES ('EXAMPLE.org')": "mailstack_domain_key",
    "INSERT INTO mail_domain VALUES ('example')": "mailstack_domain_form",
    "DELETE FROM mail_domain": "mailstack_users_domain",
    "UPDATE mail_domain SET domain_name = 'other.example'": "mailstack_users_domain",
}


@pytest.mark.parametrize("sql", REFUSED)
def test_refused(database: Scratch, sql: str) -> None:
    rows = (
        "BEGIN; INSERT INTO mail_domain VALUES ('example.org');"
        "INSERT INTO mail_users (email, password) VALUES ('A@Example.org', 'x');"
    )
    assert (
        database.run(f"{rows} SELECT email, domain_name, active FROM mail_users")
        == "a@example.org|example.org|t"
    )
    assert REFUSED[sql] in database.refused(f"{rows} {sql}")


def test_quotas_of_a_domain_are_added_up_when_all_is_written(database: Scratch) -> None:
    """The order of changes does not matter: the users' quotas may grow before the domain's."""
    database.run(
        "BEGIN; INSERT INTO mail_domain (domain_name, quota_mb, user_quota_mb) VALUES ('sum.example', 5, 2);"
        "INSERT INTO mail_users (email, password, quota_mb)"
        " VALUES ('a@sum.example', 'x', 4), ('b@sum.example', 'x', NULL);"
        "UPDATE mail_domain SET quota_mb = 6; COMMIT"
    )
    assert "add up to 7 MiB" in database.refused("UPDATE mail_users SET quota_mb = 3 WHERE quota_mb IS NULL")
    assert "add up to 6 MiB" in database.refused("UPDATE mail_domain SET quota_mb = 5")
    assert "every user" in database.refused("UPDATE mail_users SET quota_mb = 0 WHERE quota_mb IS NULL")
    database.run("DELETE FROM mail_users; DELETE FROM mail_domain")


def test_a_domain_is_added_up_once_for_all_its_users(database: Scratch) -> None:
    """Each further change in the transaction adds up again."""
    made = (
        "BEGIN; INSERT INTO mail_domain (domain_name, quota_mb) VALUES ('sum.example', 1000);"
        "INSERT INTO mail_users (email, password, quota_mb)"
        " SELECT format('u%s@sum.example', n), 'x', 1 FROM generate_series(1, 1000) AS n;"
        "SET CONSTRAINTS ALL IMMEDIATE;"
    )
    counted = "SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relname = 'mail_users'"
    assert 1_000 <= int(database.run(f"{made} {counted}; ROLLBACK")) < 10_000, (
        "a sum for each reads 1,000,000"
    )
    for change in (
        "UPDATE mail_users SET quota_mb = 2 WHERE email = 'u7@sum.example'",
        "UPDATE mail_domain SET quota_mb = 999 WHERE domain_name = 'sum.example'",
        "INSERT INTO mail_users (email, password, quota_mb) VALUES ('more@sum.example', 'x', 1)",
    ):
        for when in ("IMMEDIATE", "DEFERRED"):
            assert "add up to" in database.refused(f"{made} SET CONSTRAINTS ALL {when}; {change}; COMMIT")


def test_the_lookup_role_may_read_and_nothing_else(database: Scratch) -> None:
    for table in ("mail_domain", "mail_users", "mail_alias"):
        assert database.run(f"SELECT count(*) FROM {table}", role="lookup") == "0"
    for sql in (
        "DELETE FROM mail_users",
        "UPDATE mail_users SET active = true",
        "INSERT INTO mail_domain VALUES ('example.org')",
        "TRUNCATE mail_alias",
        "CREATE TABLE mine (x int)",
        "CREATE TEMP TABLE mine (x int)",
        "SELECT * FROM mailstack_schema",
    ):
        assert "permission denied" in database.refused(sql, role="lookup")
    assert "permission denied" in database.refused("SELECT * FROM public.mail_users", role="other")
    for lookup in (
        "mailstack_domain('a')",
        "mailstack_user('a', 'b', 'c', 'lmtp')",
        "mailstack_login('a', 'imap')",
    ):
        assert database.run(f"SELECT * FROM public.{lookup}", role="lookup") == ""
        for role in ("upgrade", "other"):
            assert "permission denied" in database.refused(f"SELECT * FROM public.{lookup}", role=role)
    assert database.run("SELECT has_database_privilege('rules_other', 'rules', 'CONNECT, TEMP')") == "f"


@pytest.mark.parametrize("conforming", ["on", "off"])
def test_text_arrives_as_it_is(database: Scratch, conforming: str) -> None:
    said = database.run(
        f"SET standard_conforming_strings = {conforming}; SET escape_string_warning = off;"
        f"SELECT encode(convert_to({literal(HOSTILE)}, 'UTF8'), 'hex')"
    )
    assert bytes.fromhex(said).decode() == HOSTILE
