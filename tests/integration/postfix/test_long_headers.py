"""Header fields of any length come out of IMAP unchanged, as signatures need it."""

from __future__ import annotations

import uuid
from collections.abc import Callable

import pytest

from tests.support import clients
from tests.support.sample_accounts import ALICE, BOB, REMOTE, STRANGER
from tests.targets.containers import Target

#: Where Postfix cuts a field off by default.
DEFAULT = 102_400


def folded(size: int) -> str:
    """Return the value of a field of that size, in lines that all differ."""
    return "\r\n".join(f" {number:08d}" + "x" * 62 for number in range(size // 73))


def addresses(number: int) -> str:
    return ",\r\n".join(f" user{index}@{REMOTE}" for index in range(number))


def ordinary(extra: str, recipients: str = f" {ALICE}") -> str:
    return f"From: {STRANGER}\r\nTo:{recipients}\r\n{extra}Subject: long\r\n\r\nThe text.\r\n"


def in_a_part(size: int) -> str:
    """Return a message whose second part has a long field of its own."""
    return ordinary("MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n") + (
        "--b\r\n\r\nOne.\r\n"
        f"--b\r\nContent-Type: text/plain\r\nX-Long:{folded(size)}\r\n\r\nTwo.\r\n--b--\r\n"
    )


MESSAGES: dict[str, Callable[[], str]] = {
    "a little over the default": lambda: ordinary(f"X-Long:{folded(DEFAULT + 3_000)}\r\n"),
    "megabytes": lambda: ordinary(f"X-Long:{folded(9_000_000)}\r\n"),
    "one line": lambda: ordinary(f"X-Long: {'x' * 500_000}\r\n"),
    "several": lambda: ordinary("".join(f"X-Long-{n}:{folded(200_000)}\r\n" for n in range(5))),
    "a part of MIME": lambda: in_a_part(300_000),
    "addresses": lambda: ordinary("", addresses(20_000)),
}


@pytest.mark.parametrize("kind", MESSAGES)
def test_kept_byte_for_byte(server: Target, kind: str) -> None:
    message_id = f"<{uuid.uuid4()}@{REMOTE}>"
    sent = f"Message-ID: {message_id}\r\n{MESSAGES[kind]()}".encode()
    with clients.smtp(server) as session:
        session.sendmail(STRANGER, [ALICE], sent)
    assert clients.received(server, ALICE, message_id, timeout=60).endswith(sent)


def test_recipients_that_the_host_itself_writes_to(server: Target) -> None:
    """Postfix completes these addresses, and would stop at about the 1,600th."""
    message_id = f"<{uuid.uuid4()}@{REMOTE}>"
    sent = f"Message-ID: {message_id}\r\n{ordinary('', ' postmaster,' + addresses(10_000))}"
    server.exec(["sendmail", "-i", "-f", BOB, ALICE], input=sent.replace("\r\n", "\n"))
    copy = clients.received(server, ALICE, message_id, timeout=60).decode()
    assert [f"user{number}@{REMOTE}" in copy for number in (0, 1_600, 9_999)] == [True, True, True]
