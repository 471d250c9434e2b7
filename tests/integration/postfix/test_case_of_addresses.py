"""A remote address keeps its case everywhere (RFC 5321, 2.4); addresses in local domains are folded."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, REMOTE, STRANGER
from tests.targets.containers import Target
from tests.targets.shell import TargetError

pytestmark = pytest.mark.both_engines

BOARD = f"Board+AbCdEf123@{REMOTE}"
DATA: dict[str, Any] = {
    "mail_alias_domains": {"alias.example": "example.org"},
    "mail_aliases": [
        *sample_accounts.ALIASES,
        {"source_email": "Board@example.org", "destinations": [BOARD, "BOB@Example.org"]},
        {"source_email": "chair@*", "destinations": [f"Chair+XyZ@{REMOTE}"]},
    ],
    "mail_postmaster": f"Post.Master@{REMOTE}",
    "mail_local_aliases": {"root": f"Root+Host@{REMOTE}"},
    "mail_virtual": {"Static@example.org": f"Static+Q@{REMOTE}"},
}
WHERE = {
    "board@example.org": BOARD,
    "Board@alias.example": BOARD,
    "chair@example.com": f"Chair+XyZ@{REMOTE}",
    "postmaster@example.org": f"Post.Master@{REMOTE}",
    f"root@{sample_accounts.HOSTNAME}": f"Root+Host@{REMOTE}",
    "STATIC@example.org": f"Static+Q@{REMOTE}",
}
INSERT = "INSERT INTO mail_alias (source_email, destination_email) VALUES"


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server with those settings."""
    target = module_clone("case")
    target.pyinfra("-y", "deploy.py", data=sample_accounts.data(**DATA)).check()
    assert (
        target.pyinfra("-y", "--json", "deploy.py", data=sample_accounts.data(**DATA)).check().changed == []
    )
    return target


def destinations(host: Target, source: str) -> list[str]:
    found = f"SELECT destination_email FROM mail_alias WHERE source_email = '{source}'"
    return sorted(clients.sql(host, found).split())


@pytest.mark.parametrize("address", WHERE)
def test_mail_arrives_at_the_peer_in_that_case(host: Target, peer: Target, address: str) -> None:
    mail = clients.message(STRANGER, address)
    if address.startswith("root"):
        host.exec(["sendmail", "-i", "root"], input=mail.as_string())
    else:
        clients.send(host, mail)
    copy = clients.wait_at_peer(peer, mail["Message-ID"])
    assert f"Delivered-To: {WHERE[address]}\n".encode() in copy
    if address.lower().startswith("board"):
        assert clients.received(host, BOB, mail["Message-ID"])


def test_rows_by_sql(host: Target) -> None:
    rows = f"('sql@example.org', 'Sql+AbC@{REMOTE.upper()}'), ('SQL@Example.org', 'CAROL@Example.COM'),"
    clients.sql(host, f"{INSERT} {rows} ('sql@example.org', 'Alice+Tag@ALIAS.example')")
    assert destinations(host, "sql@example.org") == [
        f"Sql+AbC@{REMOTE}",
        "alice+tag@alias.example",
        "carol@example.com",
    ]
    wildcard = "INSERT INTO mail_wildcard (local_part, destination_email) VALUES"
    clients.sql(host, f"{wildcard} ('Sql', 'Sql+AbC@{REMOTE.upper()}'), ('Sql', 'CAROL@Example.COM')")
    found = "SELECT destination_email FROM mail_wildcard WHERE local_part = 'sql'"
    assert sorted(clients.sql(host, found).split()) == [f"Sql+AbC@{REMOTE}", "carol@example.com"]
    clients.sql(host, "DELETE FROM mail_alias WHERE source_email = 'sql@example.org'")
    clients.sql(host, "DELETE FROM mail_wildcard WHERE local_part = 'sql'")


def test_a_target_whose_domain_is_added_later(host: Target) -> None:
    clients.sql(
        host,
        f"{INSERT} ('later@example.org', 'Later.Box@later.example'), ('v@example.org', 'W@later.example');"
        "INSERT INTO mail_domain (domain_name) VALUES ('later.example');"
        "INSERT INTO mail_users (email, password) SELECT 'later.box@later.example', password"
        f" FROM mail_users WHERE email = '{ALICE}'",
    )
    user, password = "later.box@later.example", sample_accounts.PASSWORDS[ALICE]
    message_id = clients.send(host, clients.message(STRANGER, "later@example.org"))
    assert clients.received(host, user, message_id, password=password)
    with clients.smtp(host, 587) as session:
        clients.login(session, user, password)
        session.mail("later@example.org")
        assert session.rcpt(BOB)[0] == 250, "it is this user's alias"
    with pytest.raises(TargetError, match="would close a circle"):
        clients.sql(host, f"{INSERT} ('w@later.example', 'v@example.org')")
    clients.sql(
        host,
        "DELETE FROM mail_alias WHERE source_email IN ('later@example.org', 'v@example.org');"
        f"DELETE FROM mail_users WHERE email = '{user}';"
        "DELETE FROM mail_domain WHERE domain_name = 'later.example'",
    )


def test_a_row_that_an_earlier_version_folded(host: Target) -> None:
    before = destinations(host, "board@example.org")
    assert before == [BOARD, BOB]
    clients.sql(
        host,
        f"UPDATE mail_alias SET destination_email = '{BOARD.lower()}' WHERE destination_email = '{BOARD}'",
    )
    assert BOARD.lower() in destinations(host, "board@example.org")
    healed = host.pyinfra("-y", "--json", "deploy.py", data=sample_accounts.data(**DATA)).check()
    assert healed.changed == ["Mail server | Accounts | Declared in the inventory"]
    assert destinations(host, "board@example.org") == before
    assert host.pyinfra("-y", "--json", "deploy.py", data=sample_accounts.data(**DATA)).check().changed == []
