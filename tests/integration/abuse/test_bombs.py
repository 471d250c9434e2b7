"""Messages made to be expensive: each is refused, or arrives and can be read, and no daemon suffers."""

from __future__ import annotations

import imaplib
from collections.abc import Iterator
from contextlib import suppress

import pytest

from tests.support import clients
from tests.support.daemons import assert_served
from tests.support.raw_smtp import dialogue
from tests.support.sample_accounts import STRANGER
from tests.support.temporary_users import PASSWORD, guests
from tests.targets.containers import Target

pytestmark = pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)


MULTIPART = "Content-Type: multipart/mixed; boundary={0}\r\n\r\n--{0}"
END = "\r\n\r\nx\r\n"


def bombs() -> dict[str, str]:
    """Return complete messages. Postfix takes a header of 10 MB, and Dovecot looks at 10,000 parts."""
    numbers = range(100_000)
    multipart = MULTIPART.format("b")
    return {
        "a field of 10 MB": "Subject: " + f"{'x' * 70}\r\n " * 140_000 + END,
        "fields of 10 MB": "X-Field: something\r\n" * 500_000 + END,
        "500,000 recipients": "To: " + "a@b.example,\r\n " * 500_000 + END,
        "references to 100,000 messages": "References:"
        + "".join(f" <{each}@b>\r\n" for each in numbers)
        + "\r\nx\r\n",
        "100,000 parameters": "Content-Type: a/b" + "".join(f";\r\n x*{each}*=%41" for each in numbers) + END,
        "100,000 encoded words": "Subject: " + "=?utf-8?q?=C3=BC?=\r\n " * 100_000 + END,
        "comments in comments": "".join(
            f"{name}: " + "(\r\n " * 100_000 + "\r\n" for name in ("From", "Date", "Content-Type")
        )
        + END,
        "100,000 parts": multipart + (END + "--b") * 100_000 + "--\r\n",
        "100,000 messages": multipart
        + f"\r\nContent-Type: message/rfc822\r\n\r\nSubject: x{END}--b" * 100_000
        + "--\r\n",
        "10,000 multiparts in multiparts": "".join(MULTIPART.format(each) + "\r\n" for each in range(10_000))
        + END,
        "10,000 messages in messages": "Content-Type: message/rfc822\r\n\r\n" * 10_000 + END,
        "100,000 lines like boundaries": MULTIPART.format("b" * 70) + END + f"--{'b' * 69}\r\n" * 100_000,
    }


@pytest.fixture
def victim(unharmed: Target) -> Iterator[str]:
    """Yield a user of the server that must stay unharmed."""
    with guests(unharmed, "victim") as (user,):
        yield user


def sent(server: Target, user: str, message: str) -> int:
    """Return the code for a message from a stranger."""
    with dialogue(server, greeted=True) as connection:
        envelope = (f"MAIL FROM:<{STRANGER}>\r\n", f"RCPT TO:<{user}>\r\n", "DATA\r\n")
        assert [connection.code(command.encode()) for command in envelope] == [250, 250, 354]
        return connection.code(message.encode() + b".\r\n")


def test_each_is_refused_or_arrives_and_is_read(
    unharmed: Target, victim: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    codes = {name: sent(unharmed, victim, message) for name, message in bombs().items()}
    assert {name: code for name, code in codes.items() if code != 250 and code // 100 != 5} == {}
    expected = list(codes.values()).count(250)
    monkeypatch.setattr(imaplib, "_MAXLINE", 100_000_000)  # of a line of an answer
    with clients.imap(unharmed, victim, password=PASSWORD) as session:
        session.sock.settimeout(300)

        def arrived() -> bool:
            session.noop()
            return session.select()[1] == [str(expected).encode()]

        clients.eventually(arrived, f"not all of {codes}", 300)
        for number in range(1, expected + 1):
            said, _ = session.fetch(str(number), "(ENVELOPE BODYSTRUCTURE BODY.PEEK[1.MIME])")
            assert said == "OK", number
        assert session.sort("(FROM SUBJECT)", "UTF-8", "ALL")[0] == "OK"
        assert session.thread("REFERENCES", "UTF-8", "ALL")[0] == "OK"
        assert session.search(None, "TEXT", "needle") == ("OK", [b""])
    clients.wait_for_empty_queue(unharmed, 180, to=(victim,))


def test_a_thread_that_takes_too_much_memory_ends_one_session(abused: Target, peer: Target) -> None:
    """A message names another one 5,000 times: for THREAD, Dovecot takes more than a process may have.

    Another session of the same user goes on, which reads the message and deletes it. Others are served.
    """
    message = "References:" + " <a@b.example>\r\n" * 5_000 + "\r\nx\r\n"
    with guests(abused, "threader") as (user,), clients.imap(abused, user, password=PASSWORD) as other:
        assert sent(abused, user, message) == 250
        clients.eventually(lambda: other.select()[1] == [b"1"], "it does not arrive", 180)
        with (
            suppress(imaplib.IMAP4.abort, OSError),
            clients.imap(abused, user, password=PASSWORD) as session,
        ):
            session.sock.settimeout(180)
            session.thread("REFERENCES", "UTF-8", "ALL")
        assert other.fetch("1", "(ENVELOPE)")[0] == "OK"
        other.store("1", "+FLAGS", r"(\Deleted)")
        assert other.expunge() == ("OK", [b"1"])
        assert_served(abused, peer)
