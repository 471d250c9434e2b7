"""Routes of mail without a mailbox here: backup MX, relay hosts of some senders, transport, root."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, CAROL, REMOTE, STRANGER
from tests.targets.containers import Target
from tests.targets.shell import TargetError

pytestmark = pytest.mark.both_engines

HOSTNAME = "backup.example.net"
NEWS, INFO = "news@example.com", "info@example.org"
#: In a log, or in `Received`, when the standard server has taken a message after a login.
RELAYED = f"by {sample_accounts.HOSTNAME} (Postfix) with ESMTPSA"


def settings(server: Target, peer: Target) -> dict[str, Any]:
    """Return the relay host of Alice and Carol is the standard server, where each may use no other sender."""
    relay, direct = f"[{server.ip}]:587", f"[{peer.ip}]:25"
    return sample_accounts.data(
        mail_hostname=HOSTNAME,
        mail_postmaster=CAROL,
        mail_local_aliases={"root": BOB},
        mail_relay_domains=[
            {
                "domain_name": "backup.example",
                "recipients": ["Anna@backup.example", "o'brien@backup.example"],
                "next_hop": direct,
            },
            {"domain_name": "any.example", "any_recipient": True},
            {"domain_name": "off.example", "any_recipient": True, "active": False},
            "empty.example",
        ],
        mail_sender_relayhosts={
            ALICE: {"host": relay, "user": ALICE, "password": sample_accounts.PASSWORDS[ALICE]},
            "@example.com": {"host": relay, "user": CAROL, "password": sample_accounts.PASSWORDS[CAROL]},
            BOB: direct,
            INFO: {"host": direct, "user": "relay", "password": "relay-secret"},
        },
        mail_transport={
            "moved.example": "error:5.1.2 it moved away",
            "stays@moved.example": f"smtp:{direct}",
            "asks.example": f"smtp:{relay}",
        },
    )


@pytest.fixture(scope="module")
def primary(peer: Target) -> Iterator[Target]:
    """Yield the peer, which now also has the mailboxes of the relay domain and those that moved."""
    peer.exec(
        f"postconf -e 'virtual_mailbox_domains = {REMOTE} backup.example moved.example'; postfix reload"
    )
    yield peer
    peer.exec(f"postconf -e 'virtual_mailbox_domains = {REMOTE}' && postfix reload")


@pytest.fixture(scope="module")
def host(module_clone: Factory, server: Target, primary: Target) -> Target:
    """Return a copy of the standard server with those settings."""
    target = module_clone("routing", hostname=HOSTNAME)
    run = target.pyinfra("-y", "--diff", "deploy.py", data=settings(server, primary)).check()
    for secret in (*sample_accounts.PASSWORDS.values(), "relay-secret"):
        assert secret not in run.stdout + run.stderr
    return target


def test_a_second_run_changes_nothing(host: Target, server: Target, primary: Target) -> None:
    assert host.pyinfra("-y", "--json", "deploy.py", data=settings(server, primary)).check().changed == []


@contextmanager
def away(primary: Target) -> Iterator[None]:
    """Stop the primary for the duration of the block."""
    primary.exec("postfix stop")
    try:
        yield
    finally:
        primary.exec("systemctl restart postfix")
        clients.eventually(lambda: primary.exec("ss -tlnH sport = :25").stdout, "the peer does not listen")


def test_recipients_that_the_primary_does_not_have_are_refused(host: Target) -> None:
    expected = {
        "anna@backup.example": 250,
        "ANNA+tag@Backup.Example": 250,
        "o'brien@backup.example": 250,
        "Postmaster@backup.example": 250,
        "x@any.example": 250,
        "unknown@backup.example": 550,
        "anna@any.example.backup.example": 554,
        "anna@sub.backup.example": 554,
        "x@off.example": 550,
        "postmaster@off.example": 550,
        "anna@empty.example": 550,
        "' OR 1=1 --@backup.example": 501,
        '"\' OR 1=1 --"@backup.example': 550,
        f"anna%{REMOTE}@backup.example": 554,
    }
    assert {address: clients.replies(host, f"<{address}>") for address in expected} == expected


def test_a_relay_domain_has_no_mailboxes(host: Target) -> None:
    assert clients.replies(host, ALICE, sender="anna@backup.example") == 250
    with clients.smtp(host, 587, ALICE) as session:
        session.mail("anna@backup.example")
        assert session.rcpt(BOB)[0] == 553


def test_mail_waits_for_the_primary(host: Target, primary: Target) -> None:
    with away(primary):
        message_id = clients.send(host, clients.message(STRANGER, "Anna@backup.example"))
        clients.eventually(
            lambda: any("Connection refused" in line for line in clients.queue(host)), "it does not wait"
        )
        assert clients.replies(host, "unknown@backup.example") == 550
    host.exec(["postqueue", "-f"])
    assert b"Delivered-To: Anna@backup.example" in clients.wait_at_peer(primary, message_id)
    clients.wait_for_empty_queue(host)


def relay_domain(host: Target, *arguments: str) -> str:
    """Return the error of `pyinfra mailstack.accounts.relay_domain`, empty if there is none."""
    run = host.pyinfra("-y", "mailstack.accounts.relay_domain", *arguments, data=sample_accounts.data())
    return run.stderr if run.returncode else ""


def test_a_relay_domain_is_added_and_removed(host: Target) -> None:
    def code(address: str) -> int:
        return clients.replies(host, address)

    assert relay_domain(host, "new.example", '["x@new.example", "Y@new.example"]') == ""
    assert [code(f"{name}@new.example") for name in "xyz"] == [250, 250, 550]
    assert code("x@sub.new.example") == 554
    domain = host.pyinfra("-y", "mailstack.accounts.domain", "new.example", data=sample_accounts.data())
    assert "new.example can't be a domain of ours and a relay domain" in domain.stderr
    assert relay_domain(host, "new.example", "x@new.example", "any_recipient=false", "present=false") == ""
    assert [code(f"{name}@new.example") for name in "xyz"] == [550, 250, 550]
    assert relay_domain(host, "new.example", "present=false") == ""
    assert code("w@new.example") == 554  # Postfix still remembers the others


@pytest.mark.parametrize(
    "rows",
    [
        "mail_relay_domain (domain_name) VALUES ('Example.org')",
        "mail_domain (domain_name) VALUES ('any.example')",
        "mail_alias_domain (alias_domain, domain_name) VALUES ('any.example', 'example.org')",
        "mail_relay_domain (domain_name) VALUES ('no domain')",
        "mail_relay_recipient (address) VALUES ('x@example.org')",
        "mail_relay_recipient (address) VALUES ('ANNA@backup.example')",
        "mail_relay_recipient (address) VALUES ('a b@backup.example')",
        "mail_relay_recipient (address) VALUES ('@backup.example')",
    ],
)
def test_rows_that_the_database_refuses(host: Target, rows: str) -> None:
    with pytest.raises(TargetError, match=r"mailstack_|would be a domain of ours and a relay domain"):
        clients.sql(host, f"INSERT INTO {rows}")


def submit(host: Target, user: str, recipient: str, sender: str | None = None) -> str:
    """Return a user sends a message, and this is its Message-ID."""
    mail = clients.message(sender or user, recipient)
    return clients.send(host, mail, sender=sender or user, port=587, user=user)


@pytest.mark.parametrize(
    ("user", "sender", "relayed"),
    [(ALICE, ALICE, True), (ALICE, "Alice+tag@example.org", True), (CAROL, CAROL, True), (BOB, BOB, False)],
)
def test_each_sender_has_a_relay_host_and_a_login(
    host: Target, server: Target, primary: Target, user: str, sender: str, relayed: bool
) -> None:
    login = f"sasl_method=[A-Z]+, sasl_username={user}$"
    before = len(clients.log(server, login))
    copy = clients.wait_at_peer(primary, submit(host, user, f"someone@{REMOTE}", sender))
    assert f"Return-Path: <{sender}>".encode() in copy
    assert (RELAYED.encode() in copy) == relayed
    assert (len(clients.log(server, login)) > before) == relayed


def test_a_login_is_for_that_relay_host_alone(host: Target, server: Target, primary: Target) -> None:
    """Neither a server of transport(5) nor a primary gets the password."""
    before = len(clients.log(server, "sasl_username="))
    submit(host, ALICE, "someone@asks.example")
    tried = "to=<someone@asks.example>.*status="
    said = clients.eventually(lambda: clients.log(host, tried), "it was not tried")
    assert "5.7.1 <alice@example.org>: Sender address rejected: not logged in" in "\n".join(said)
    assert len(clients.log(server, "sasl_username=")) == before
    assert RELAYED.encode() not in clients.wait_at_peer(primary, submit(host, ALICE, "anna@backup.example"))


def test_no_login_without_tls(host: Target, primary: Target) -> None:
    try:
        primary.exec("postconf -e smtpd_tls_security_level=none && postfix reload")
        submit(host, ALICE, f"no-tls@{REMOTE}", sender=INFO)
        clients.eventually(
            lambda: any("TLS is required" in line for line in clients.queue(host)), "it does not wait"
        )
    finally:
        primary.exec("postconf -e smtpd_tls_security_level=may && postfix reload")
        host.exec("postsuper -d ALL deferred")


def test_the_passwords_are_readable_for_postfix_alone(host: Target) -> None:
    paths = ["/etc/postfix/sender_passwd", "/etc/postfix/sender_passwd.db"]
    assert host.exec(["stat", "-c", "%a %U:%G", *paths]).stdout.splitlines() == ["640 root:postfix"] * 2


def test_transport_for_a_domain_and_for_one_address_in_it(host: Target, primary: Target) -> None:
    with clients.smtp(host, 587, CAROL) as session:
        session.mail(CAROL)
        code, text = session.rcpt("someone@moved.example")
    assert (code // 100, b"it moved away" in text) == (5, True)
    copy = clients.wait_at_peer(primary, submit(host, CAROL, "stays@moved.example"))
    assert RELAYED.encode() not in copy


def test_mail_to_root_and_postmaster_is_forwarded(host: Target) -> None:
    subject = f"cron, {uuid.uuid4()}"
    cron = ["runuser", "-u", "nobody", "--", "sendmail", "-i", "-FCronDaemon", "root"]
    message_id = f"<{uuid.uuid4()}@{HOSTNAME}>"
    host.exec(cron, input=f"Message-ID: {message_id}\nTo: root\nSubject: {subject}\n\nBackup failed\n")
    assert subject.encode() in clients.received(host, BOB, message_id)
    for address, mailbox in (
        ("postmaster", BOB),
        (f"root@{HOSTNAME}", BOB),
        (f"postmaster@{HOSTNAME}", BOB),
        ("postmaster@example.org", CAROL),
        ("Postmaster+x@example.com", CAROL),
    ):
        message_id = clients.send(host, clients.message(STRANGER, address), address)
        assert clients.received(host, mailbox, message_id)


def test_nothing_is_left_in_the_queue(host: Target, server: Target) -> None:
    clients.wait_for_empty_queue(host)
    clients.wait_for_empty_queue(server)
