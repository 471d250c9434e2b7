"""Allowed senders of users, users who only send or receive, strangers with this server's addresses."""

from __future__ import annotations

import imaplib
import smtplib
from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, CAROL, DAVE, STRANGER
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines

READER, WRITER, LEFT = "reader@example.org", "writer@example.org", "left@example.org"
PASSWORD = "the same for these 3"
USERS: list[dict[str, Any]] = [
    {"email": READER, "initial_password": PASSWORD, "can_send": False},
    {"email": WRITER, "initial_password": PASSWORD, "can_receive": False},
    {"email": LEFT, "initial_password": PASSWORD, "active": False},
    {"email": ALICE, "senders": ["boss@example.com", "@granted.example"]},
]
ALIASES: list[dict[str, Any]] = [
    {"source_email": "@example.org", "destinations": [CAROL]},
    {"source_email": LEFT, "destinations": [BOB]},
]


@pytest.fixture(scope="module")
def office(module_clone: Factory, peer: Target) -> Target:
    """Return a server with such accounts, a catch-all beside them, and the peer as a trusted forwarder."""
    server = module_clone("senders")
    users = [user for user in sample_accounts.USERS if user["email"] != ALICE] + USERS
    forwarders = [f"{peer.ip}/32", f"[{peer.ip6}]/128"]
    data = sample_accounts.data(
        mail_users=users, mail_aliases=sample_accounts.ALIASES + ALIASES, mail_trusted_forwarders=forwarders
    )
    server.pyinfra("-y", "deploy.py", data=data).check()
    assert server.pyinfra("-y", "--json", "deploy.py", data=data).check().changed == []
    return server


def may_send(server: Target, user: str, sender: str, port: int = 587) -> bool:
    with clients.smtp(server, port, user) as session:
        code, _ = session.mail(sender)
        if code == 250:
            code, _ = session.rcpt(f"someone@{sample_accounts.REMOTE}")
    assert code in (250, 553)
    return code == 250


def test_users_send_as_addresses_that_were_granted(office: Target) -> None:
    granted = ["boss@example.com", "Boss+tag@Example.com", "anyone@granted.example"]
    assert [may_send(office, ALICE, sender) for sender in granted] == [True] * 3
    assert [may_send(office, BOB, sender, 465) for sender in granted] == [False] * 3
    others = [CAROL, "boss@example.org", "x@sub.granted.example", STRANGER]
    assert [may_send(office, ALICE, sender) for sender in others] == [False] * 4


def test_a_grant_is_added_and_revoked(office: Target) -> None:
    grant = ("-y", "mailstack.accounts.sender", BOB, "press@example.com")
    office.pyinfra(*grant, data=sample_accounts.data()).check()
    assert may_send(office, BOB, "press@example.com")
    assert not may_send(office, CAROL, "press@example.com")
    office.pyinfra(*grant, "present=false", data=sample_accounts.data()).check()
    assert not may_send(office, BOB, "press@example.com")
    missing = office.pyinfra(
        "-y", "mailstack.accounts.sender", "nobody@example.org", BOB, data=sample_accounts.data()
    )
    assert missing.returncode
    assert "nobody@example.org" in missing.stderr


def deliver(server: Target, recipient: str) -> str:
    mail = clients.message(STRANGER, recipient)
    with clients.smtp(server) as session:
        session.send_message(mail)
    return str(mail["Message-ID"])


def test_users_who_only_receive(office: Target) -> None:
    with clients.imap(office, READER, password=PASSWORD) as session:
        clients.wait_for_mail(session, deliver(office, READER))
    for port in (587, 465):
        with (
            clients.smtp(office, port) as session2,
            pytest.raises(smtplib.SMTPAuthenticationError) as refused,
        ):
            clients.login(session2, READER, PASSWORD)
        assert refused.value.smtp_code == 535


def test_users_who_only_send(office: Target) -> None:
    mail = clients.message(WRITER, BOB)
    with clients.smtp(office, 587) as session:
        clients.login(session, WRITER, PASSWORD)
        session.send_message(mail)
    with clients.imap(office, BOB) as mailbox:
        clients.wait_for_mail(mailbox, mail["Message-ID"])
    with clients.imap(office, WRITER, password=PASSWORD):
        pass
    for address in (WRITER, "writer+tag@example.org"):  # and no catch-all gets it
        assert clients.replies(office, address) == 550


def test_disabled_users(office: Target) -> None:
    for address in (DAVE, "dave+tag@example.org"):
        assert clients.replies(office, address) == 550
    with pytest.raises(imaplib.IMAP4.error), clients.imap(office, DAVE):
        pass
    with clients.smtp(office, 465) as session, pytest.raises(smtplib.SMTPAuthenticationError):
        clients.login(session, DAVE, sample_accounts.PASSWORDS[DAVE])


def test_mail_to_a_former_user_is_forwarded(office: Target) -> None:
    for user, address in ((BOB, LEFT), (CAROL, "whoever@example.org")):
        with clients.imap(office, user) as mailbox:
            clients.wait_for_mail(mailbox, deliver(office, address))


def test_trusted_forwarders_may_use_local_senders_and_not_relay(office: Target, peer: Target) -> None:
    for ipv6 in (False, True):
        run = clients.swaks(peer, office, "--from", ALICE, "--to", BOB, ipv6=ipv6)
        assert run.returncode == 0, run.stdout
        relay = clients.swaks(peer, office, "--from", ALICE, "--to", "x@elsewhere.example", ipv6=ipv6)
        assert 554 in clients.codes(relay.stdout.replace("<**", "<*"))
        assert clients.replies(office, BOB, sender=ALICE, ipv6=ipv6) == 550
