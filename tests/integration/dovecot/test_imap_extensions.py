"""Extensions that IMAP clients negotiate: COMPRESS, NOTIFY, QRESYNC."""

from __future__ import annotations

import imaplib
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support import clients, sample_accounts
from tests.support.sample_accounts import ALICE, BOB
from tests.targets.containers import Target

imaplib.Commands |= {"COMPRESS": ("AUTH",), "NOTIFY": ("AUTH", "SELECTED")}


@contextmanager
def session(target: Target, user: str) -> Iterator[imaplib.IMAP4_SSL]:
    """Yield an IMAP session, logged in, nothing selected."""
    with imaplib.IMAP4_SSL(target.ip, 993, ssl_context=clients.tls(), timeout=clients.TIMEOUT) as made:
        made.authenticate("PLAIN", lambda _: f"\0{user}\0{sample_accounts.PASSWORDS[user]}".encode())
        yield made


class Deflated:
    """A connection after COMPRESS=DEFLATE (RFC 4978): deflate without a zlib header, flushed each time."""

    def __init__(self, connection: imaplib.IMAP4_SSL) -> None:
        self._socket = connection.sock
        self._out = zlib.compressobj(wbits=-15)
        self._in = zlib.decompressobj(wbits=-15)
        self.received = 0

    def ask(self, command: bytes) -> bytes:
        """Send a command with the tag `z`, and return all that comes up to its answer."""
        self._socket.sendall(
            self._out.compress(b"z " + command + b"\r\n") + self._out.flush(zlib.Z_SYNC_FLUSH)
        )
        answer = b""
        while not re.search(rb"^z (OK|NO|BAD)[^\n]*\n", answer, re.MULTILINE):
            raw = self._socket.recv(65536)
            assert raw, answer
            self.received += len(raw)
            answer += self._in.decompress(raw)
        return answer


def test_compress(server: Target) -> None:
    body = "All work and no play makes Jack a dull boy.\n" * 2000
    mail = clients.message(ALICE, ALICE, body=body)
    with session(server, ALICE) as connection:
        assert "COMPRESS=DEFLATE" in connection.capabilities or b"COMPRESS=DEFLATE" in capabilities(
            connection
        )
        connection.append("Drafts", "", "", mail.as_bytes())
        assert connection._simple_command("COMPRESS", "DEFLATE")[0] == "OK"
        deflated = Deflated(connection)
        assert b" EXISTS" in deflated.ask(b"SELECT Drafts")
        fetched = deflated.ask(b"FETCH * BODY[TEXT]")
        assert len(re.findall(b"makes Jack a dull boy", fetched)) == 2000
        assert deflated.received < len(fetched) / 10
        assert b"z OK" in deflated.ask(b"STORE 1:* +FLAGS.SILENT \\Deleted")
        assert b"z OK" in deflated.ask(b"EXPUNGE")
        deflated.ask(b"LOGOUT")
        connection.state = "LOGOUT"
        connection.shutdown()


def capabilities(connection: imaplib.IMAP4) -> bytes:
    """Return the server's capabilities after the login."""
    answer: bytes = connection.capability()[1][0]
    return answer


def test_notify(server: Target) -> None:
    """RFC 5465: a client is told of mail in folders that it has not selected."""
    with session(server, BOB) as watcher, session(server, BOB) as writer:
        assert b"NOTIFY" in capabilities(watcher)
        mail = clients.message(BOB, BOB).as_bytes()
        writer.append("Drafts", "", "", mail)  # makes the folder, if this is the first
        events = "SET (personal (MessageNew MessageExpunge))"
        assert watcher._simple_command("NOTIFY", events)[0] == "OK"
        watcher.untagged_responses.clear()
        writer.append("Drafts", "", "", mail)

        def told() -> bool:
            watcher.noop()
            return any(b"Drafts (MESSAGES" in line for line in watcher.untagged_responses.get("STATUS", []))

        clients.eventually(told, "no word of the new message")
        writer.select("Drafts")
        writer.store("1:*", "+FLAGS.SILENT", "\\Deleted")
        writer.expunge()


def test_qresync(server: Target) -> None:
    """RFC 7162: a client that comes back is told what vanished and what changed meanwhile."""
    with session(server, ALICE) as connection:
        assert b"QRESYNC" in capabilities(connection)
        for number in range(3):
            connection.append("Drafts", "", "", clients.message(ALICE, ALICE, str(number)).as_bytes())
        assert connection.enable("QRESYNC")[0] == "OK"
        connection.select("Drafts")
        (validity,) = connection.response("UIDVALIDITY")[1]
        (modseq,) = connection.response("HIGHESTMODSEQ")[1]
        uids = connection.uid("SEARCH", "ALL")[1][0].decode().split()
        connection.close()

        connection.select("Drafts")
        connection.uid("STORE", uids[0], "+FLAGS.SILENT", "\\Deleted")
        connection.expunge()
        connection.uid("STORE", uids[1], "+FLAGS.SILENT", "\\Flagged")
        connection.unselect()

        parameters = f"(QRESYNC ({validity.decode()} {modseq.decode()}))"
        connection.untagged_responses.clear()
        typ, _ = connection._simple_command("SELECT", "Drafts", parameters)
        connection.state = "SELECTED"
        assert typ == "OK"
        (vanished,) = connection.response("VANISHED")[1]
        assert vanished.split()[-1].decode() == uids[0]
        changed = connection.response("FETCH")[1]
        assert len(changed) == 1 and b"\\Flagged" in changed[0] and f"UID {uids[1]} ".encode() in changed[0]
        connection.store("1:*", "+FLAGS.SILENT", "\\Deleted")
        connection.close()
