"""The accounts and settings of the standard test server, as plain data."""

from __future__ import annotations

import os
from typing import Any

HOSTNAME = "mail.example.org"
#: The domain of the peer, for recipients and for strangers as senders.
REMOTE = "remote.example.net"
STRANGER = f"stranger@{REMOTE}"

ALICE = "alice@example.org"
BOB = "bob@example.org"
CAROL = "carol@example.com"
#: A disabled user.
DAVE = "dave@example.org"
#: A user in a disabled domain.
ERIN = "erin@disabled.example"

PASSWORDS = {
    ALICE: "alice's pass-word 1",
    BOB: 'bob "quoted" \\ 2',
    CAROL: "carol-ünïcode-3",
    DAVE: "dave-4",
    ERIN: "erin-5",
}

DOMAINS: list[str | dict[str, Any]] = [
    "example.org",
    "example.com",
    {"domain_name": "disabled.example", "active": False},
]
USERS: list[dict[str, Any]] = [
    {"email": email, "initial_password": password, "active": email != DAVE}
    for email, password in PASSWORDS.items()
]
ALIASES: list[dict[str, Any]] = [
    {"source_email": "info@example.org", "destinations": [ALICE]},
    {"source_email": "team@example.org", "destinations": [ALICE, BOB, CAROL]},
    {"source_email": "away@example.org", "destinations": [f"away@{REMOTE}"]},
    {"source_email": "both@example.org", "destinations": [BOB, f"both@{REMOTE}"]},
    {"source_email": "old@example.org", "destinations": [ALICE], "active": False},
    {"source_email": "alias@disabled.example", "destinations": [ALICE]},
]


#: The engine of the current test's servers: conftest.py sets it before each test.
ENGINE = os.environ.get("MAILSTACK_TEST_ENGINE", "postgresql")


def map_type() -> str:
    """Return the type of Postfix's tables for a direct connection to that engine."""
    return "mysql" if ENGINE == "mysql" else "pgsql"


def data(**more: Any) -> dict[str, Any]:
    """Return the host data of the standard test server; `more` adds to it or overrides it."""
    engine = {} if ENGINE == "postgresql" else {"mail_db_engine": ENGINE}
    return {
        **engine,
        # they take a DNS that knows senders and hosts; the tests of trust have one
        "mail_rspamd": False,
        "mail_srs": False,
        "mail_resolver": False,
        # it would shut out the tests, which log in wrongly a thousand times; the tests of guard have it
        "mail_fail2ban": False,
        "mail_hostname": HOSTNAME,
        "mail_domains": DOMAINS,
        "mail_users": USERS,
        "mail_aliases": ALIASES,
        **more,
    }
