"""The list of accounts: its filters, its table, its JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailstack import text
from mailstack.accounts.listed import KINDS, Used, user_of
from mailstack.accounts.listing import Filters, Listing
from mailstack.accounts.used import Mailbox, QuotasUsed
from mailstack.engines.contract import Rows
from mailstack.engines.postgresql import dialect

SEEN = 1_700_000_000
ANSWER: dict[str, Any] = {
    "users": [
        ["bob@example.org", True, 10, 0, None, "example.org/bob.1", None, None, None, None],
        ["alice@example.org", 1, 0, 0, "/srv/alice", "example.org/alice.1", SEEN, None, SEEN + 60, None],
        ["carol@example.com", 0, 10, 100, None, "example.com/carol.1", None, SEEN, None, None],
    ],
    "aliases": [
        ["info@example.org", "bob@example.org", True],
        ["info@example.org", "alice@example.org", True],
        ["info@example.org", "old@example.org", False],
        ["all@example.com", "Anna@remote.example", True],
    ],
    "everywhere": [["abuse", "alice@example.org", True]],
    "domains": [["example.org", True, 100, 10, 2, 3], ["example.com", False, None, None, 1, 1]],
    "alias_domains": [["example.net", "example.org", True]],
    "relay_domains": [["backup.example", True]],
}


def names(filters: Filters) -> list[str]:
    """Return the addresses of users, aliases and domains in the listing with these filters."""
    listing = Listing.of("mail", KINDS, ANSWER, filters)
    return [each[0] for kind in (listing.users, listing.aliases, listing.domains) for each in kind]


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        (Filters(domain="example.com"), "carol@example.com abuse@* all@example.com example.com"),
        (
            Filters(domain="example.org"),
            "alice@example.org bob@example.org abuse@* info@example.org info@example.org"
            " example.net example.org",
        ),
        (Filters(inactive=True), "carol@example.com info@example.org example.com"),
        (Filters(text="anna@"), "all@example.com"),
        (Filters(text="bob"), "bob@example.org info@example.org"),
    ],
    ids=str,
)
def test_filters(filters: Filters, expected: str) -> None:
    assert names(filters) == expected.split()


def test_never_logged_in() -> None:
    listing = Listing.of("mail", ("users",), ANSWER, Filters(never=True))
    assert [user.email for user in listing.users] == ["bob@example.org"]


def test_over_a_share_of_the_quota() -> None:
    bob, _, carol = (user_of(row) for row in ANSWER["users"])
    users = [bob._replace(used=Used(9 * 1024, 1)), carol._replace(used=Used(1024, 95)), bob]
    assert [user.share for user in users] == [90, 95, None]
    assert Filters(over=92).over_quota(users) == users[1:2]
    assert Filters(over=50).over_quota(users) == users[:2]
    assert Filters().over_quota(users) == users


def test_json_has_an_account_a_line() -> None:
    written = Listing.of("mail", KINDS, ANSWER, Filters()).json()
    found = json.loads(written)
    assert found["host"] == "mail"
    assert found["users"][0] == {
        "address": "alice@example.org",
        "active": True,
        "quota_mb": None,
        "quota_messages": None,
        "used_mb": None,
        "used_messages": None,
        "used_percent": None,
        "last_login": {"imap": "2023-11-14T22:13:20Z", "smtp": "2023-11-14T22:14:20Z"},
    }
    assert {"address": "abuse@*", "destinations": ["alice@example.org"], "active": True} in found["aliases"]
    assert [each["kind"] for each in found["domains"]] == [
        "relayed",
        "mailboxes",
        "another name",
        "mailboxes",
    ]
    assert sum('"address": "' in line for line in written.splitlines()) == 3 + 4
    assert json.loads(Listing("mail").json()) == {"host": "mail", "users": [], "aliases": [], "domains": []}


def test_json_of_what_a_mailbox_has() -> None:
    bob = user_of(['"bob\\ü"@example.org', True, 10, 100, None, "bob", None, None, None, SEEN + 86399])
    assert json.loads(bob._replace(used=Used(1536, 95)).json()) == {
        "address": '"bob\\ü"@example.org',
        "active": True,
        "quota_mb": 10,
        "quota_messages": 100,
        "used_mb": 1.5,
        "used_messages": 95,
        "used_percent": 95.0,
        "last_login": {"sieve": "2023-11-15T22:13:19Z"},
    }
    assert user_of(["a@b.example", 0, 10, 0, None, None, SEEN, None, None, 86399]).json() == (
        '{"address": "a@b.example", "active": false, "quota_mb": 10, "quota_messages": null, "used_mb": null,'
        ' "used_messages": null, "used_percent": null,'
        ' "last_login": {"imap": "2023-11-14T22:13:20Z", "sieve": "1970-01-01T23:59:59Z"}}'
    )
    without_quota = bob._replace(quota_mb=0, quota_messages=0, used=Used(0, 0))
    assert json.loads(without_quota.json())["used_percent"] is None


def test_table() -> None:
    listing = Listing.of("mail", KINDS, ANSWER, Filters())
    listing.users = [user._replace(used=Used(5120, 3)) for user in listing.users]
    lines = listing.table().splitlines()
    assert lines[:3] == [
        "3 users",
        "USER                         USED           QUOTA                 LAST IMAP         LAST POP3"
        "         LAST SMTP",
        "alice@example.org            5.0 MiB                              2023-11-14 22:13"
        "                    2023-11-14 22:14",
    ]
    assert "carol@example.com  disabled  5.0 MiB  50 %  10 MiB, 100 messages" in lines[4]
    assert "info@example.org            alice@example.org, bob@example.org" in lines
    assert "info@example.org  disabled  old@example.org" in lines
    assert "example.net               another name of example.org" in lines


def test_a_row_of_the_database_is_no_command_for_a_terminal() -> None:
    listing = Listing.of("mail", ("aliases",), {"aliases": [["a@b.example", "\x1b[2Jb@x.org", 1]]}, Filters())
    assert listing.table() == "1 alias\nALIAS        DESTINATIONS\na@b.example  ?[2Jb@x.org\n"


def test_what_mailboxes_have() -> None:
    boxes = [Mailbox(f"{name}@example.org", f"/var/vmail/{name}") for name in ("alice", "bob", "new")]
    question = QuotasUsed.of(boxes)
    said = (
        "empty\tnew@example.org\n"
        "Username\tQuota name\tType\tValue\tLimit\t%\n"
        "alice@example.org\tUser quota\tSTORAGE\t2048\t10240\t20\n"
        "alice@example.org\tUser quota\tMESSAGE\t7\t-\t0\n"
        "bob@example.org\tUser quota\tSTORAGE\t0\t-\t0\n"
        "mallory@example.org\tUser quota\tSTORAGE\t1\t-\t0\n"
    )
    assert question.parse(said) == {
        "alice@example.org": Used(2048, 7),
        "bob@example.org": Used(0, 0),
        "new@example.org": Used(0, 0),
    }
    assert question.parse("") == {}


def test_a_column_without_values_is_not_sent() -> None:
    asked = dialect.read_rows({"users": Rows(("u.email", "NULL", "u.active"), "FROM mail_users u")})
    assert asked.count("json_agg") == 2
    answer = {"users": [["a", "b"], None, [True, False]], "aliases": [[], None]}
    assert dialect.rows(answer) == {"users": [("a", None, True), ("b", None, False)], "aliases": []}


def test_a_hundred_thousand_accounts() -> None:
    """Without the database: nothing in it takes longer for each account than for one."""
    row = [True, 10, 0, None, "directory", SEEN, None, SEEN, None]
    answer = {"users": [[f"user{number}@example.org", *row] for number in range(100_000)]}
    listing = Listing.of("mail", ("users",), answer, Filters())
    assert len(json.loads(listing.json())["users"]) == 100_000
    assert listing.table().count("\n") == 100_002


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("plain", "plain"),
        ("\x1b[2Jgone", "?[2Jgone"),
        ("a\nb\r\x07", "a?b??"),
        ("\u202eevil", "?evil"),
        ("ü", "ü"),
    ],
)
def test_a_terminal_gets_no_commands(given: str, shown: str) -> None:
    assert text.printable(given) == shown
