"""A mailbox with a quota: what has no room is refused at RCPT, and nothing bounces."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator

import pytest

from tests.integration import clients, world
from tests.integration.conftest import Factory
from tests.targets.containers import Target

SMALL = "small@example.org"
PASSWORD = "one-mebibyte"


@pytest.fixture
def small(server: Target) -> Iterator[str]:
    """A user with one MiB."""
    account = ("-y", "mailstack.accounts.user", SMALL)
    made = server.pyinfra(
        *account, "password_from=env:PASSWORD", "quota_mb=1", data=world.data(), env={"PASSWORD": PASSWORD}
    )
    made.check()
    yield SMALL
    server.pyinfra(*account, "present=false", "delete_mail=true", data=world.data()).check()


def _deliver(server: Target, size: int) -> str:
    """Send a message of that many bytes; returns its Message-ID. Raises what smtplib raises."""
    mail = clients.message(world.STRANGER, SMALL, body=("x" * 70 + "\n") * (size // 71))
    with clients.smtp(server) as session:
        session.send_message(mail)
    return str(mail["Message-ID"])


def test_a_full_mailbox_refuses_at_rcpt(server: Target, small: str) -> None:
    with clients.imap(server, small, password=PASSWORD) as session:
        clients.wait_for_mail(session, _deliver(server, 900_000))
        usage = session.getquotaroot("INBOX")[1][1][0]
        assert isinstance(usage, bytes)
        assert b"1024)" in usage  # STORAGE used limit, in KiB (RFC 9208)
        with clients.smtp(server) as stranger:
            stranger.mail(world.STRANGER, ["SIZE=20000000"])
            assert stranger.rcpt(small)[0] == 552
        # without SIZE the server can't know before the mail is there: it may go one message over, no further
        for _ in range(2):
            try:
                clients.wait_for_mail(session, _deliver(server, 900_000))
            except smtplib.SMTPRecipientsRefused as refused:
                assert refused.recipients[small][0] == 552
                break
        else:
            pytest.fail("a mailbox of 1 MiB took 2.7 MB")
    assert "Mail queue is empty" in server.exec("mailq").stdout


def test_others_have_no_limit(server: Target) -> None:
    with clients.smtp(server) as stranger:
        stranger.mail(world.STRANGER, ["SIZE=20000000"])
        assert stranger.rcpt(world.ALICE)[0] == 250


def test_without_dovecot_mail_is_taken(clone: Factory) -> None:
    server = clone("quota")
    server.exec("systemctl stop dovecot")
    assert clients.replies(server, world.ALICE) == 250
