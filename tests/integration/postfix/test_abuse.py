"""Limits of clients: rates, errors, and HELO names."""

from __future__ import annotations

import smtplib
from contextlib import ExitStack
from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.targets.containers import Target

LIMITS = {
    "mail_smtpd_client_message_rate_limit": 3,
    "mail_smtpd_client_recipient_rate_limit": 5,
    "mail_smtpd_client_auth_rate_limit": 2,
    "mail_smtpd_soft_error_limit": 4,
    "mail_smtpd_hard_error_limit": 4,
    "mail_smtpd_client_connection_count_limit": 3,
    "mail_smtpd_helo_restrictions": ["permit_mynetworks"],
    "mail_hide_client_address": False,
}


@pytest.fixture(scope="module")
def strict(module_clone: Factory) -> Target:
    """Return a server with limits that a few messages reach."""
    server = module_clone("abuse")
    server.pyinfra("-y", "deploy.py", data=sample_accounts.data(**LIMITS)).check()
    deploys.assert_converged(server, sample_accounts.data(**LIMITS))
    return server


@pytest.fixture
def fresh(strict: Target) -> Target:
    """Return the same, with nothing counted yet: anvil(8) counts in memory."""
    clients.restart(strict)
    return strict


def codes_of(session: smtplib.SMTP, commands: list[str]) -> list[int]:
    return [session.docmd(command)[0] for command in commands]


@pytest.mark.parametrize(
    ("name", "code"), [("localhost", 504), ("-mail-.example.net", 501), ("203.0.113.7", 504)]
)
def test_helo_names_refused_of_strangers(server: Target, name: str, code: int) -> None:
    with smtplib.SMTP(server.ip, timeout=clients.TIMEOUT) as session:
        session.ehlo(name)
        session.mail(sample_accounts.STRANGER)
        assert session.rcpt(sample_accounts.ALICE)[0] == code
        session.ehlo("[203.0.113.7]")
        session.mail(sample_accounts.STRANGER)
        assert session.rcpt(sample_accounts.ALICE)[0] == 250


@pytest.mark.parametrize("port", [465, 587])
def test_users_may_use_any_helo_name_and_their_address_is_hidden(server: Target, port: int) -> None:
    mail = clients.message(sample_accounts.ALICE, sample_accounts.BOB)
    mail["Received"] = "from before.example.net (before.example.net [203.0.113.9]) by mail.example.com; now"
    with clients.smtp(server, port, sample_accounts.ALICE) as session:
        ours = session.sock.getsockname()[0] if session.sock else ""
        session.ehlo("my_laptop")
        session.send_message(mail)
    with clients.imap(server, sample_accounts.BOB) as mailbox:
        text = clients.wait_for_mail(mailbox, mail["Message-ID"]).decode()
    head = text.partition("\r\n\r\n")[0]
    assert "Received: by mail.example.org (Postfix) with ESMTPSA id" in head
    assert "my_laptop" not in head
    assert ours
    assert ours not in head
    assert "203.0.113.9" in head, "what the user's own program wrote stays"


def test_received_has_the_address_of_a_stranger(server: Target) -> None:
    mail = clients.message(sample_accounts.STRANGER, sample_accounts.BOB)
    with clients.smtp(server) as session:
        ours = session.sock.getsockname()[0] if session.sock else "?"
        session.send_message(mail)
    with clients.imap(server, sample_accounts.BOB) as mailbox:
        assert f"[{ours}]" in clients.wait_for_mail(mailbox, mail["Message-ID"]).decode()


def test_names_and_addresses_are_free_where_the_settings_say_so(fresh: Target) -> None:
    mail = clients.message(sample_accounts.ALICE, sample_accounts.BOB)
    with clients.smtp(fresh, 587, sample_accounts.ALICE) as session:
        ours = session.sock.getsockname()[0] if session.sock else "?"
        session.ehlo("my_laptop")
        session.send_message(mail)
    head = clients.received(fresh, sample_accounts.BOB, mail["Message-ID"]).decode().partition("\r\n\r\n")[0]
    assert "Received: from my_laptop (" in head and f"[{ours}]" in head
    with smtplib.SMTP(fresh.ip, timeout=clients.TIMEOUT) as stranger:
        stranger.ehlo("localhost")
        stranger.mail(sample_accounts.STRANGER)
        assert stranger.rcpt(sample_accounts.ALICE)[0] == 250


def test_connections_at_once_are_counted(fresh: Target) -> None:
    with ExitStack() as open_ones:
        for _ in range(3):
            open_ones.enter_context(clients.smtp(fresh))
        with pytest.raises(smtplib.SMTPConnectError) as refused, clients.smtp(fresh):
            pass
        assert refused.value.smtp_code == 421
        assert open_ones.enter_context(clients.smtp(fresh, ipv6=True)).noop()[0] == 250


def test_messages_are_counted(fresh: Target) -> None:
    with clients.smtp(fresh) as session:
        assert [session.mail(sample_accounts.STRANGER)[0] for _ in range(4) if session.rset()] == [
            250,
            250,
            250,
            450,
        ]
    with clients.smtp(fresh, ipv6=True) as other:
        assert other.mail(sample_accounts.STRANGER)[0] == 250, "the limit is for each client"


def test_recipients_are_counted(fresh: Target) -> None:
    with clients.smtp(fresh) as session:
        session.mail(sample_accounts.STRANGER)
        assert [session.rcpt(sample_accounts.ALICE)[0] for _ in range(6)] == [250] * 5 + [450]


def test_logins_are_counted(fresh: Target) -> None:
    tries = []
    for _ in range(3):
        with clients.smtp(fresh, 465) as session, pytest.raises(smtplib.SMTPAuthenticationError) as refused:
            clients.login(session, sample_accounts.ALICE, "wrong")
        tries.append(refused.value.smtp_code)
    assert tries == [535, 535, 450]


def test_errors_end_a_session(strict: Target) -> None:
    with clients.smtp(strict) as session:
        assert codes_of(session, ["NONSENSE"] * 3) == [500] * 3
        assert codes_of(session, ["NONSENSE"]) in ([421], [500])
        with pytest.raises(smtplib.SMTPServerDisconnected):
            codes_of(session, ["NONSENSE"] * 2)


def test_connections_are_counted(strict: Target) -> None:
    few: dict[str, Any] = {"mail_smtpd_client_connection_rate_limit": 2}
    strict.pyinfra("-y", "deploy.py", data=sample_accounts.data(**LIMITS, **few)).check()
    clients.restart(strict)

    def greeting() -> int:
        session = smtplib.SMTP(timeout=clients.TIMEOUT)
        code, _ = session.connect(strict.ip)
        session.close()
        return code

    assert [greeting() for _ in range(3)] == [220, 220, 421]
