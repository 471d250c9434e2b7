"""The changes from an existing to the wanted role."""

from __future__ import annotations

from typing import Any

import pytest

from mailstack.engines.postgresql import scram
from mailstack.engines.postgresql.roles import NoPassword, Password, Role, changes

OWNER = Role("mailadmin", owner=True)
LOOKUP = Role("maillookup", read_only=True)


def current(**different: Any) -> dict[str, Any]:
    """Return a row of the query for a correct lookup role, with the password ``right``."""
    return {
        "rolsuper": False,
        "rolinherit": True,
        "rolcreaterole": False,
        "rolcreatedb": False,
        "rolcanlogin": True,
        "rolreplication": False,
        "rolbypassrls": False,
        "rolconnlimit": -1,
        "expires": None,
        "verifier": scram.verifier("right"),
        "administered": True,
        "memberships": [],
        "settings": [[None, "default_transaction_read_only=on"]],
        **different,
    }


def test_a_correct_role_has_no_changes() -> None:
    assert changes(LOOKUP, current(), Password("right")) == []


@pytest.mark.parametrize(
    ("different", "title", "sql"),
    [
        ({"rolsuper": True}, "no SUPERUSER", "NOSUPERUSER"),
        ({"rolinherit": False}, "INHERIT", " INHERIT"),
        ({"rolcreatedb": True}, "no CREATEDB", "NOCREATEDB"),
        ({"rolcanlogin": False}, "LOGIN", " LOGIN"),
        ({"rolconnlimit": 3}, "no connection limit", "CONNECTION LIMIT -1"),
        ({"expires": True}, "no expiry", "VALID UNTIL 'infinity'"),
        ({"memberships": [["staff", "boss"]]}, "not a member of staff", 'GRANTED BY "boss"'),
        ({"settings": []}, "default_transaction_read_only=on", "= 'on'"),
        (
            {"settings": [[None, "default_transaction_read_only=off"]]},
            "default_transaction_read_only=on",
            "= 'on'",
        ),
        ({"verifier": None}, "password", "SCRAM-SHA-256"),
        ({"verifier": scram.verifier("wrong")}, "password", "SCRAM-SHA-256"),
    ],
)
def test_one_difference(different: dict[str, Any], title: str, sql: str) -> None:
    (change,) = changes(LOOKUP, current(**different), Password("right"))
    assert change.title == title
    assert sql in change.sql


def test_settings_of_others_are_reset() -> None:
    there = current(settings=[["mail", "app.x=1"], [None, "default_transaction_read_only=on"]])
    (change,) = changes(LOOKUP, there, Password("right"))
    assert change == (
        "no setting app.x in mail",
        'ALTER ROLE "maillookup" IN DATABASE "mail" RESET "app"."x";',
    )


def test_a_new_role_gets_everything() -> None:
    made = changes(LOOKUP, None, Password("right"))
    assert [change.title for change in made] == ["created", "default_transaction_read_only=on", "password"]
    assert "right" not in "".join(change.sql for change in made)


def test_an_administrator_without_superuser_becomes_a_member_of_the_owner() -> None:
    said = 'GRANT "mailadmin" TO CURRENT_USER;'
    assert said in [change.sql for change in changes(OWNER, None, Password("x"), superuser=False)]
    assert said not in [change.sql for change in changes(OWNER, None, Password("x"))]
    there = current(settings=[], administered=False)
    assert said in [change.sql for change in changes(OWNER, there, Password("right"))]


def test_without_a_password() -> None:
    (change,) = changes(LOOKUP, current(), NoPassword.REMOVE)
    assert change == ("no password", 'ALTER ROLE "maillookup" PASSWORD NULL;')
    assert changes(LOOKUP, current(verifier=""), NoPassword.REMOVE) == []
    assert changes(LOOKUP, current(verifier=""), NoPassword.KEEP) == []


def test_a_login_that_was_tried_decides() -> None:
    unreadable = current(verifier="")
    assert changes(LOOKUP, unreadable, Password("right", logs_in=True)) == []
    (change,) = changes(LOOKUP, unreadable, Password("right", logs_in=False))
    assert change.title == "password"
