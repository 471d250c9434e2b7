"""Faults of mail servers that look right; each was seen on one set up by hand."""

from __future__ import annotations

import imaplib
import smtplib
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import clients, sample_accounts
from tests.support.raw_smtp import dialogue
from tests.support.sample_accounts import ALICE, BOB, CAROL, REMOTE, STRANGER
from tests.targets.containers import Target


def test_one_strange_byte_does_not_disturb_the_others(server: Target) -> None:
    normal = {ALICE: 250, "info@example.org": 250, "unknown@example.org": 550, f"someone@{REMOTE}": 554}
    for address in (b"\xff@example.org", b"alice@\xff.example.org", b"alice\xff@example.org"):
        for before, command in ((b"", b"MAIL FROM:<%s>\r\n"), (b"MAIL FROM:<>\r\n", b"RCPT TO:<%s>\r\n")):
            with dialogue(server) as connection:
                connection.say(b"", f"EHLO {REMOTE}\r\n".encode(), *filter(None, [before]))
                assert connection.say(command % address)[0].startswith(b"5")
        assert {one: clients.replies(server, one) for one in normal} == normal
    assert clients.log(server, "cannot escape") == []


def test_utf_8_where_it_may_not_be_is_delivered_nevertheless(server: Target) -> None:
    """SMTPUTF8 (RFC 6531) is not offered, but UTF-8 without it must not cause a bounce."""
    message_id = f"<{uuid.uuid4()}@{REMOTE}>"
    mail = f"Message-ID: {message_id}\r\nSubject: Grüße\r\n\r\nx\r\n"
    envelope = ["MAIL FROM:<jörg@remote.example.net>", f"RCPT TO:<{ALICE}>", "DATA"]
    with dialogue(server) as connection:
        connection.say(b"", f"EHLO {REMOTE}\r\n".encode())
        connection.say(*(f"{command}\r\n".encode() for command in envelope))
        assert connection.say(f"{mail}.\r\n".encode())[0].startswith(b"250")
    assert clients.received(server, ALICE, message_id)


def test_a_message_of_the_host_itself_may_have_utf_8_in_its_header(server: Target) -> None:
    message_id = f"<{uuid.uuid4()}@{sample_accounts.HOSTNAME}>"
    mail = f"Message-ID: {message_id}\nTo: {ALICE}\nSubject: Grüße\n\nx\n"
    server.exec(["sendmail", "-i", ALICE], input=mail)
    assert clients.received(server, ALICE, message_id)


def test_smtp_offers_only_extensions_that_dovecot_has(server: Target) -> None:
    for port in (25, 587):
        with clients.smtp(server, port, starttls=True) as session:
            assert not session.has_extn("smtputf8")
            assert session.has_extn("8bitmime")


def test_vrfy_and_expn_are_refused(server: Target) -> None:
    with clients.smtp(server) as session:
        assert session.verify(ALICE)[0] == 502
        assert session.docmd("EXPN", "team")[0] // 100 == 5


def test_commands_wait_for_their_answers(server: Target) -> None:
    with dialogue(server) as connection:
        connection.say(b"")
        mail = f"HELO {REMOTE}\r\nMAIL FROM:<{STRANGER}>\r\nRCPT TO:<{ALICE}>\r\nDATA\r\n"
        connection.send(mail.encode())
        answers = b""
        while piece := connection.connection.recv(4096):
            answers += piece
            if answers.count(b"\r\n") >= 4:
                break
    assert b"\r\n354" not in answers
    assert b"\r\n503 5.5.0" in answers or b"554 5.5.0" in answers


def test_a_greeting_is_required(server: Target) -> None:
    with smtplib.SMTP(server.ip, timeout=clients.TIMEOUT) as session:
        assert session.docmd("MAIL", f"FROM:<{STRANGER}>")[0] == 503


def test_a_burst_to_one_user_is_delivered_at_once(server: Target) -> None:
    count = 60
    burst = uuid.uuid4().hex

    def send(number: int) -> str:
        mail = clients.message(STRANGER, CAROL, subject=f"{burst} {number}")
        return clients.send(server, mail, f"carol+{burst}@example.com")

    with ThreadPoolExecutor(20) as pool:
        sent = list(pool.map(send, range(count)))
    assert len(set(sent)) == count
    with clients.imap(server, CAROL) as session:

        def arrived() -> bool:
            session.noop()
            return len(session.search(None, "SUBJECT", burst)[1][0].split()) == count

        clients.eventually(arrived, f"all {count}", timeout=60)
        session.store(
            session.search(None, "SUBJECT", burst)[1][0].replace(b" ", b",").decode(), "+FLAGS", "\\Deleted"
        )
    assert clients.log(server, rf"to=<carol\+{burst}@.*status=deferred") == []


def test_mail_of_the_host_itself_reaches_root(server: Target) -> None:
    for user in ("root", "nobody"):
        subject = f"from {user}, {uuid.uuid4()}"
        cron = ["runuser", "-u", user, "--", "sendmail", "-i", "-FCronDaemon", "root"]
        server.exec(cron, input=f"To: root\nSubject: {subject}\n\nBackup failed\n")
        clients.wait_for_local_mail(server, f"Subject: {subject}")


def test_failed_logins_do_not_slow_down_others_behind_the_same_address(server: Target) -> None:
    def fail_imap() -> None:
        with pytest.raises(imaplib.IMAP4.error):
            clients.imap(server, BOB, password="wrong").__enter__()

    def fail_smtp() -> None:
        with clients.smtp(server, 465) as session, pytest.raises(smtplib.SMTPAuthenticationError):
            clients.login(session, BOB, "wrong")

    with ThreadPoolExecutor(16) as pool:
        for failing in [pool.submit(attempt) for attempt in [fail_imap, fail_smtp] * 8]:
            failing.result()
    start = time.monotonic()
    with clients.imap(server, ALICE):
        pass
    with clients.smtp(server, 465, ALICE):
        pass
    assert time.monotonic() - start < 2  # the delay of one failed login
