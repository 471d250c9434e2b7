"""A message ends with <CR><LF>.<CR><LF> and nothing else: of strangers, and of users to other servers."""

from __future__ import annotations

import re
import uuid

import pytest

from tests.support import clients
from tests.support.raw_smtp import dialogue
from tests.support.recorder import DOMAIN, recorded, recording
from tests.support.sample_accounts import ALICE, BOB, PASSWORDS, REMOTE, STRANGER
from tests.support.talk import SMTP, plain, talk
from tests.targets.containers import Target

#: Ends of data that some servers take for <CR><LF>.<CR><LF>, and this one must not (CVE-2023-51764).
SMUGGLING = ["\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r.\r\n", "\r\n.\r", "\n.\r", "\r.\n"]


@pytest.mark.parametrize("end", SMUGGLING, ids=[repr(end) for end in SMUGGLING])
def test_no_message_is_smuggled_in_another(server: Target, end: str) -> None:
    outer, inner = (f"<{uuid.uuid4()}@{REMOTE}>" for _ in range(2))
    smuggled = f"MAIL FROM:<admin@{REMOTE}>\r\nRCPT TO:<{BOB}>\r\nDATA\r\nMessage-ID: {inner}\r\n\r\nsmuggled"
    with dialogue(server) as connection:
        connection.say(b"", f"EHLO {REMOTE}\r\n".encode(), f"MAIL FROM:<{STRANGER}>\r\n".encode())
        assert connection.say(f"RCPT TO:<{ALICE}>\r\n".encode(), b"DATA\r\n")[-1].startswith(b"354")
        data = f"Message-ID: {outer}\r\n\r\nbefore{end}{smuggled}\r\n.\r\n"
        assert connection.say(data.encode())[0].startswith((b"250", b"5"))
        connection.say(b"QUIT\r\n")
    clients.wait_for_empty_queue(server)
    with clients.imap(server, BOB) as session:
        assert not clients.find(session, inner)
    with clients.imap(server, ALICE) as session:
        assert all(b"smuggled" in mail for mail in clients.find(session, outer))


@pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)
def test_no_message_is_smuggled_out_in_another(abused: Target, peer: Target) -> None:
    """What a user sends is one message, without any octets that another server could take for its end."""
    envelope = [b"MAIL FROM:<%s>" % ALICE.encode(), b"RCPT TO:<anna@%s>" % DOMAIN.encode(), b"DATA"]
    inner = b"\r\n".join([*envelope, b"Subject: inner", b"", b"smuggled"])
    with recording(peer), talk(abused, SMTP, tls=True) as connection:
        connection.say(*SMTP.ask)
        assert connection.say(SMTP.login % plain(ALICE, PASSWORDS[ALICE]), SMTP.answered)[:4] == SMTP.welcome
        for end in SMUGGLING:
            answers = [connection.say(command + b"\r\n", SMTP.answered)[:4] for command in envelope]
            assert answers == [b"250 ", b"250 ", b"354 "]
            message = b"Subject: outer %d\r\n\r\nbefore" % SMUGGLING.index(end) + end.encode() + inner
            assert connection.say(message + b"\r\n.\r\n", SMTP.answered)[:4] == b"250 "
        clients.wait_for_empty_queue(abused, 60, to=(f"anna@{DOMAIN}",))
        messages = recorded(peer)
    assert len(messages) == len(SMUGGLING)
    for message in messages:
        assert re.findall(rb"^Subject: (\w+)", message, re.MULTILINE) == [b"outer", b"inner"]
        assert re.findall(rb"\r(?!\n)|(?<!\r)\n|\n\.(?!\.)", message) == [b"\n."], message
