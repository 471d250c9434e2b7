"""The changes to the accounts of a MariaDB server, for every possible difference."""

from __future__ import annotations

import re
from typing import Any

import pytest

from mailstack.engines.mariadb.users import Account, changes, on_database

# SELECT PASSWORD('secret')
HASH = "*14E65567ABDB5135D0CFD9A70B3032C179A49EE7"
GRANTS = {"mail.mail_users": frozenset({"SELECT"})}
LOOKUP = Account("maillookup", "127.0.0.1", GRANTS, "secret")
DAEMON = Account("postfix", "localhost", GRANTS)
NATIVE = {
    "access": 0,
    "plugin": "mysql_native_password",
    "authentication_string": HASH,
    "password_lifetime": 0,
    "password_last_changed": 1763800000,
}
GRANTED = ["maillookup@127.0.0.1", "mail.mail_users", "SELECT"]


def state(account: dict[str, Any] | None, *grants: list[str], name: str = LOOKUP.name) -> dict[str, Any]:
    """Return the answer of a server that has this account and these grants."""
    return {"accounts": None if account is None else {name: account}, "grants": list(grants) or None}


def titles(*accounts: Account, there: dict[str, Any]) -> list[str]:
    """Return the titles of the changes."""
    return [change.title for change in changes(accounts, there)]


def test_nothing_is_done_where_all_is_well() -> None:
    assert changes([LOOKUP], state(NATIVE, GRANTED)) == []
    by_socket = {"plugin": "unix_socket", "authentication_string": "", "password_lifetime": 0}
    granted = [DAEMON.name, *GRANTED[1:]]
    assert changes([DAEMON], state(by_socket, granted, name=DAEMON.name)) == []


def test_an_account_is_created_with_its_privileges() -> None:
    (change,) = changes([LOOKUP], state(None))
    assert change.title == "account maillookup@127.0.0.1: created"
    assert change.sql == (
        "CREATE OR REPLACE USER 'maillookup'@'127.0.0.1' IDENTIFIED VIA mysql_native_password USING "
        f"'{HASH}' REQUIRE NONE PASSWORD EXPIRE NEVER ACCOUNT UNLOCK;\n"
        "GRANT SELECT ON `mail`.`mail_users` TO 'maillookup'@'127.0.0.1';"
    )


DRIFT: dict[str, tuple[dict[str, Any], list[list[str]]]] = {
    "password": ({**NATIVE, "authentication_string": "*OTHER"}, [GRANTED]),
    "not locked": ({**NATIVE, "account_locked": True}, [GRANTED]),
    "no expiry": ({**NATIVE, "password_last_changed": 0}, [GRANTED]),
    "no limits": ({**NATIVE, "max_connections": 1}, [GRANTED]),
    "SELECT on mail.mail_users": (NATIVE, []),
    "no UPDATE on mail.mail_users": (NATIVE, [GRANTED, [*GRANTED[:2], "UPDATE"]]),
    "no SELECT on mail.mail_users.password": (
        NATIVE,
        [GRANTED, [GRANTED[0], "mail.mail_users.password", "SELECT"]],
    ),
    "no SUPER on *.*": (NATIVE, [GRANTED, [GRANTED[0], "*.*", "SUPER"]]),
    "no MEMBER on role admin": (NATIVE, [GRANTED, [GRANTED[0], "role admin", "MEMBER"]]),
    "no SELECT WITH GRANT OPTION on mail.mail_users": (
        NATIVE,
        [GRANTED, [*GRANTED[:2], "SELECT WITH GRANT OPTION"]],
    ),
}


@pytest.mark.parametrize("said", DRIFT)
def test_differences_are_named(said: str) -> None:
    there, grants = DRIFT[said]
    assert titles(LOOKUP, there=state(there, *grants)) == [f"account maillookup@127.0.0.1: {said}"]


def test_other_authentication_is_removed() -> None:
    also = {**NATIVE, "auth_or": [{}, {"plugin": "unix_socket"}]}
    assert titles(LOOKUP, there=state(also, GRANTED)) == ["account maillookup@127.0.0.1: password"]
    assert titles(there=state(NATIVE, GRANTED)) == ["account maillookup@127.0.0.1: unwanted"]


def test_other_accounts_have_no_privileges_in_the_database() -> None:
    granted = [["web@localhost", "mail.*", "SELECT"], ["web@localhost", "mail.mail_users.email", "UPDATE"]]
    (change,) = changes([LOOKUP], state(NATIVE, GRANTED, *granted))
    assert change.title == "account web@localhost: not on mail.*, mail.mail_users.email"
    assert change.sql == (
        "REVOKE ALL PRIVILEGES ON `mail`.* FROM 'web'@'localhost';\n"
        "REVOKE ALL PRIVILEGES ON `mail`.`mail_users` FROM 'web'@'localhost';"
    )


def test_a_database_is_no_pattern_and_a_password_is_never_shown() -> None:
    assert on_database("mail_db") == "mail\\_db.*"
    (change,) = changes(
        [Account("o'wner", "127.0.0.1", {on_database("mail_db"): frozenset({"DROP"})}, "p")], {}
    )
    assert "ON `mail\\_db`.* TO 'o''wner'@'127.0.0.1'" in change.sql
    assert not re.search("secret|USING 'p'", change.sql)
