"""Alias domains, wildcards, catch-alls; and no alias in a circle."""

from __future__ import annotations

from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, CAROL, DAVE, STRANGER
from tests.targets.containers import Target
from tests.targets.shell import TargetError

pytestmark = pytest.mark.both_engines_everywhere

DATA: dict[str, Any] = {
    "mail_alias_domains": {"alias.example": "example.org", "Bücher.example": "example.com"},
    "mail_aliases": [
        *sample_accounts.ALIASES,
        {"source_email": "abuse@*", "destinations": [BOB]},
        {"source_email": "@example.com", "destinations": ["info@alias.example"]},  # which is Alice
        {"source_email": "chain@example.org", "destinations": ["whatever@example.com"]},
        {"source_email": "desk@example.org", "destinations": ["front@example.org"]},
        {"source_email": "front@example.org", "destinations": ["alice+desk@alias.example"]},
        {"source_email": "dead@example.com", "destinations": [DAVE]},
        {"source_email": "old@example.com", "destinations": [BOB], "active": False},
    ],
}


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a server with such aliases; example.com has a catch-all, example.org has none."""
    server = module_clone("aliases")
    server.pyinfra("-y", "deploy.py", data=sample_accounts.data(**DATA)).check()
    assert (
        server.pyinfra("-y", "--json", "deploy.py", data=sample_accounts.data(**DATA)).check().changed == []
    )
    return server


WHERE = {
    "alice@alias.example": ALICE,
    "Alice+tag@ALIAS.example": ALICE,
    "info@alias.example": ALICE,
    "carol@xn--bcher-kva.example": CAROL,
    "whatever@xn--bcher-kva.example": ALICE,
    "abuse@example.org": BOB,
    "abuse+tag@example.com": BOB,
    "abuse@alias.example": BOB,
    "anything@example.com": ALICE,
    "any+thing@example.com": ALICE,
    "carol+thing@example.com": CAROL,
    "chain@example.org": ALICE,
    "desk@example.org": ALICE,
}


def test_each_address_reaches_its_mailbox_and_no_other(host: Target) -> None:
    sent = {}
    for address in WHERE:
        mail = clients.message(STRANGER, address)
        with clients.smtp(host) as session:
            session.send_message(mail)
        sent[address] = str(mail["Message-ID"])
    for user in (ALICE, BOB, CAROL):
        with clients.imap(host, user) as mailbox:
            for address in [address for address in WHERE if WHERE[address] == user]:
                clients.wait_for_mail(mailbox, sent[address])
    for user in (ALICE, BOB, CAROL):
        with clients.imap(host, user) as mailbox:
            found = [address for address in WHERE if clients.find(mailbox, sent[address])]
        assert found == [address for address in WHERE if WHERE[address] == user]


def test_aliases_without_a_target_are_refused_with_or_without_a_catch_all(host: Target) -> None:
    refused = [
        "nobody@alias.example",
        "dave@alias.example",
        "old@alias.example",
        "nobody@sub.alias.example",
        "abuse@disabled.example",
        "dead@example.com",
        "old@example.com",
        "dead+tag@xn--bcher-kva.example",
    ]
    codes = {address: clients.replies(host, address) for address in refused}
    assert codes == {address: 554 if "sub." in address else 550 for address in refused}
    for domain in ("example.org", "alias.example", "example.com", "xn--bcher-kva.example"):
        assert clients.replies(host, f"postmaster@{domain}") == 250


def test_strangers_may_not_use_senders_of_an_alias_domain(host: Target) -> None:
    assert clients.replies(host, BOB, sender="anybody@alias.example") == 550


def test_users_send_as_the_aliases_that_lead_to_them(host: Target) -> None:
    def may(user: str, sender: str) -> bool:
        with clients.smtp(host, 587, user) as session:
            session.mail(sender)
            code = session.rcpt(CAROL)[0]
        assert code in (250, 553)
        return code == 250

    names = ["alice@alias.example", "info@alias.example", "desk@example.org", "desk+tag@alias.example"]
    assert {name: (may(ALICE, name), may(BOB, name)) for name in names} == dict.fromkeys(names, (True, False))
    # what a wildcard or a catch-all brings could be anybody's name
    assert not may(BOB, "abuse@example.org") and not may(ALICE, "whatever@example.com")


def test_an_alias_domain_is_added_and_removed(host: Target) -> None:
    def run(name: str, *arguments: str) -> str:
        done = host.pyinfra("-y", f"mailstack.accounts.{name}", *arguments, data=sample_accounts.data())
        return done.stderr if done.returncode else ""

    assert run("alias_domain", "new.example", "example.org") == ""
    assert clients.replies(host, "alice@new.example") == 250
    assert run("alias_domain", "new.example", "active=false") != ""
    assert run("alias_domain", "new.example", "example.org", "active=false") == ""
    assert clients.replies(host, "alice@new.example") == 550
    assert run("domain", "new.example") != ""
    assert run("alias_domain", "new.example", "present=false") == ""
    assert run("alias_domain", "other.example", "missing.example") != ""
    left = clients.sql(host, "SELECT alias_domain FROM mail_alias_domain WHERE domain_name = 'example.org'")
    assert left == "alias.example"
    assert run("alias", "hostmaster@*", CAROL) == ""
    assert clients.replies(host, "hostmaster@example.org") == 250
    assert run("alias", "hostmaster@*", "present=false") == ""
    assert clients.replies(host, "hostmaster@example.org") == 550


CIRCLES = {
    "two": "('p@example.org', 'q@example.org'), ('q@example.org', 'p@example.org')",
    "three": "('p@example.org', 'q@example.org'), ('q@example.org', 'r@example.com'),"
    " ('r@example.com', 'P@example.org')",
    "beside a mailbox": "('p@example.org', 'q@example.org'), ('q@example.org', 'p@example.org'),"
    " ('q@example.org', 'bob@example.org')",
    "by another name": "('p@example.org', 'q@alias.example'), ('q@example.org', 'p@alias.example')",
    "by a detail": "('p@example.org', 'q+x@example.org'), ('q@example.org', 'p@example.org')",
    "to a detail of itself": "('bob@example.org', 'bob+x@example.org')",
    "with one that is there": "('deaf@example.com', 'dead@example.com'),"
    " ('dead@example.com', 'deaf@example.com')",
}


@pytest.mark.parametrize("circle", CIRCLES)
def test_the_database_refuses_a_circle(host: Target, circle: str) -> None:
    with pytest.raises(TargetError, match="would close a circle"):
        clients.sql(
            host, f"INSERT INTO mail_alias (source_email, destination_email) VALUES {CIRCLES[circle]}"
        )


def test_a_circle_is_refused_however_it_is_closed(host: Target) -> None:
    insert = "INSERT INTO mail_alias (source_email, destination_email) VALUES"
    apart = f"{insert} ('u@example.org', 'v@example.org'), ('w@example.org', 'u@late.example');"
    closing = (
        f"{insert} ('v@example.org', 'u@example.org')",
        f"{insert} ('v@example.org', 'w@example.org');"
        " INSERT INTO mail_alias_domain (alias_domain, domain_name) VALUES ('late.example', 'example.org')",
        f"{insert} ('x@example.org', 'z@example.org'); UPDATE mail_alias SET destination_email ="
        " 'u@example.org', source_email = 'v@example.org' WHERE source_email = 'x@example.org'",
    )
    for sql in closing:
        with pytest.raises(TargetError, match="would close a circle"):
            clients.sql(host, f"BEGIN; {apart} {sql}; COMMIT")
    keep = f"{insert} ('keep@example.org', 'keep@example.org'), ('keep@example.org', 'bob@example.org')"
    clients.sql(host, f"BEGIN; {keep}; ROLLBACK")
