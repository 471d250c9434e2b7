"""Malformed and hostile SMTP: each is answered with the right code, and the next client is served."""

from __future__ import annotations

import time
import uuid
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.support import clients, sample_accounts
from tests.support.malformed_smtp import DATA, HELLO, MAIL, MALFORMED, RCPT, TAKEN, USERS, Steps
from tests.support.raw_smtp import Dialogue, dialogue
from tests.support.sample_accounts import ALICE, BOB, REMOTE, STRANGER
from tests.targets.containers import Target


@pytest.fixture(scope="module", autouse=True)
def _others_are_served(server: Target) -> Iterator[None]:
    """Expect that after all of these a known recipient is known, and an unknown one unknown.

    In between, each test is the next client of the one before it.
    """
    yield
    with clients.smtp(server, ipv6=True) as session:  # as another client, for which others are counted
        session.mail(STRANGER)
        assert [session.rcpt(address)[0] for address in (ALICE, "unknown@example.org")] == [250, 550]


def codes(connection: Dialogue, steps: Steps) -> list[tuple[bytes, int]]:
    """Return the steps with the codes of the real answers."""
    return [(command, connection.code(command + b"\r\n")) for command, _ in steps]


@pytest.mark.parametrize("name", MALFORMED)
def test_strangers_get_the_right_code(server: Target, name: str) -> None:
    with dialogue(server, greeted=True) as connection:
        assert codes(connection, MALFORMED[name]) == MALFORMED[name]


@contextmanager
def login(server: Target) -> Iterator[Dialogue]:
    """Yield Alice's session on 587."""
    credentials = b64encode(b"\0".join([b"", ALICE.encode(), sample_accounts.PASSWORDS[ALICE].encode()]))
    with dialogue(server, 587, greeted=True) as connection:
        assert connection.code(b"STARTTLS\r\n") == 220
        connection.starttls()
        assert [connection.code(command) for command in (HELLO, b"AUTH PLAIN " + credentials + b"\r\n")] == [
            250,
            235,
        ]
        yield connection


def test_users_get_the_right_code(server: Target) -> None:
    found = {}
    names = list(USERS)
    for first in range(0, len(names), 5):
        with login(server) as connection:
            for name in names[first : first + 5]:
                found[name] = codes(connection, USERS[name])
                connection.code(b"RSET\r\n")
    assert found == USERS


def test_before_tls_and_before_the_login(server: Target) -> None:
    with dialogue(server, 587, greeted=True) as connection:
        assert codes(connection, [MAIL]) == [(MAIL[0], 530)]
        assert connection.code(b"AUTH PLAIN\r\n") == 530
        assert connection.code(b"STARTTLS\r\n") == 220
        connection.starttls()
        assert connection.code(HELLO) == 250
        assert codes(connection, [MAIL, RCPT]) == [MAIL, (RCPT[0], 554)]


@pytest.mark.parametrize("port", [25, 587])
def test_nothing_sent_in_clear_counts_after_starttls(server: Target, port: int) -> None:
    """CVE-2011-0411: commands in one packet with STARTTLS must not count as sent over TLS."""
    with dialogue(server, port, greeted=True) as connection:
        answer = connection.code(b"STARTTLS\r\nRSET\r\nHELP\r\n")
        if answer == 220:
            connection.starttls()
            assert connection.say(b"NOOP\r\n")[0].startswith(b"250 2.0.0 Ok")
        else:
            assert answer == 554


def test_clients_that_do_not_wait_for_an_answer_are_refused(server: Target) -> None:
    """The client sends before the greeting, before the answer to EHLO, or before the one to DATA."""
    marker = uuid.uuid4().hex
    envelope = MAIL[0] + b"\r\n" + RCPT[0] + b"\r\nDATA\r\n"
    content = f"Subject: {marker}\r\n\r\nx\r\n.\r\nQUIT\r\n".encode()
    with dialogue(server) as connection:
        connection.send(HELLO + envelope + content)
        assert b"354" not in connection.rest()
    with dialogue(server) as connection:
        connection.say(b"")
        connection.send(HELLO + envelope + content)
        assert b"354" not in connection.rest()
    with dialogue(server, greeted=True) as connection:
        connection.send(envelope + content)
        assert b"354" not in connection.rest()
    clients.wait_for_empty_queue(server)
    with clients.imap(server, ALICE) as session:
        assert marker not in clients.fields(session, "Subject").values()


def test_a_command_of_a_hundred_thousand_octets(server: Target) -> None:
    """Postfix 3.7 cuts it off at `line_length_limit`, 3.10 hangs up."""
    with dialogue(server, greeted=True) as connection:
        assert codes(connection, [MAIL]) == [MAIL]
        assert connection.code(b"RCPT TO:<alice@example.org" + b" " * 100_000 + b">\r\n") in (501, 554)


def test_ten_thousand_commands(server: Target) -> None:
    """RFC 2920 does not allow so much pipelining, so the server hangs up."""
    with dialogue(server, greeted=True) as connection:
        connection.send(b"NOOP\r\n" * 10_000)
        assert connection.answer()[:3] in (b"250", b"554", b"")
        assert connection.rest().count(b"\n") < 200


def test_messages_that_are_given_up_do_not_slow_down_others(server: Target) -> None:
    """With Postfix's `in_flow_delay` each message waits for a second from about the hundredth on."""
    for _ in range(4):
        with dialogue(server, greeted=True) as connection:
            for _ in range(40):
                assert [connection.code(part + b"\r\n") for part in (MAIL[0], RCPT[0], b"RSET")] == [250] * 3
    with dialogue(server, greeted=True) as connection:
        start = time.monotonic()
        assert codes(connection, [MAIL, RCPT]) == [MAIL, RCPT]
        assert time.monotonic() - start < 1


def test_a_client_that_vanishes_within_data_has_sent_nothing(server: Target) -> None:
    marker = uuid.uuid4().hex
    with dialogue(server, greeted=True) as connection:
        assert codes(connection, [MAIL, RCPT, DATA]) == [MAIL, RCPT, DATA]
        connection.send(f"Subject: {marker}\r\n\r\nhalf of it\r\n".encode())
    clients.eventually(lambda: clients.log(server, "lost connection after DATA"), "it is not noticed")
    clients.wait_for_empty_queue(server)
    with clients.imap(server, ALICE) as session:
        assert marker not in clients.fields(session, "Subject").values()


def test_a_thousand_recipients_and_one_more(server: Target) -> None:
    message_id = f"<{uuid.uuid4()}@{REMOTE}>"
    with dialogue(server, greeted=True) as connection:
        assert codes(connection, [MAIL]) == [MAIL]
        connection.send((RCPT[0] + b"\r\n") * 1001)
        assert [int(connection.answer()[:3]) for _ in range(1001)] == [250] * 1000 + [452]
        assert codes(connection, [DATA]) == [DATA]
        assert connection.code(f"Message-ID: {message_id}\r\n\r\nx\r\n.\r\n".encode()) == 250
    assert clients.received(server, ALICE, message_id)


def test_commands_that_end_in_a_bare_lf(server: Target) -> None:
    with dialogue(server) as connection:
        connection.say(b"")
        assert [connection.code(command + b"\n") for command in (HELLO.strip(), MAIL[0], RCPT[0])] == [
            250
        ] * 3


def test_accepted_mail_arrives(server: Target) -> None:
    run = uuid.uuid4().hex[:12]
    addresses = {name: f"alice+{run}-{number}@example.org" for number, name in enumerate(TAKEN)}
    for name, content in TAKEN.items():
        with dialogue(server, greeted=True) as connection:
            envelope = [MAIL, (f"RCPT TO:<{addresses[name]}>".encode(), 250), DATA]
            assert codes(connection, envelope) == envelope
            assert connection.code(content + b".\r\n") == 250, name
    with clients.imap(server, ALICE) as session:

        def arrived() -> list[str]:
            there = clients.fields(session, "Delivered-To")
            return [number for number, address in there.items() if address in addresses.values()]

        clients.eventually(lambda: len(arrived()) >= len(addresses), "not all arrive")
        clients.wait_for_empty_queue(server)
        assert len(arrived()) == len(addresses)
        session.store(",".join(arrived()), "+FLAGS", "\\Deleted")
        session.expunge()


def test_a_message_that_went_round_is_refused(server: Target) -> None:
    with dialogue(server, greeted=True) as connection:
        assert codes(connection, [MAIL, RCPT, DATA]) == [MAIL, RCPT, DATA]
        assert connection.code(b"Received: by a.example; now\r\n" * 60 + b"\r\nx\r\n.\r\n") == 554


def test_then_a_good_message_passes(server: Target) -> None:
    clients.wait_for_empty_queue(server)
    message_id = clients.send(server, clients.message(STRANGER, BOB))
    assert clients.received(server, BOB, message_id)
    assert clients.log(server, "(fatal|panic): |cannot escape|signal 11") == []
