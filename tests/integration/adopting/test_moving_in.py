"""A mailbox moves in from a second server by IMAP, with mbsync (imapsync is in no Debian)."""

from __future__ import annotations

import imaplib
import re
import time
from collections.abc import Iterator
from itertools import cycle, islice

import pytest

from tests.support import clients, real_messages, sample_accounts, second_dovecot
from tests.support.sample_accounts import BOB
from tests.targets.containers import Target

#: As IMAP writes them (RFC 3501, 5.1.3); the last one is `Größe & Maß`.
FOLDERS = (
    "chess.com",
    "Projects",
    "Projects/2026.Q1",
    "Projects/2026.Q1/v1.2 notes",
    "Gr&APYA3w-e &- Ma&AN8-",
)
COUNT = 2000
FLAGS = ("", r"\Seen", r"\Seen \Answered", r"\Flagged", r"\Draft", r"\Seen \Flagged \Answered")
#: The second of a day in 2005, in summer; the messages came 37 hours apart.
FIRST = 1_120_000_000

Message = tuple[bytes, str, float]


@pytest.fixture(scope="module")
def moving(server: Target, peer: Target) -> Iterator[None]:
    """Yield the second server with bob's 2,000 messages, and mbsync's configuration on the peer."""
    mails = real_messages.messages(peer)
    real = [mail for name, mail in sorted(mails.items()) if name.startswith("msg_")]
    others = [mail for name, mail in sorted(mails.items()) if not name.startswith("msg_")]
    with second_dovecot.running(server):
        with second_dovecot.imap(server, BOB) as session:
            for folder in FOLDERS:
                session.create(f'"{folder}"')
            all_mails = [*others, *islice(cycle(real), COUNT - len(others))]
            for number, mail in enumerate(all_mails):
                folder, flags = FOLDERS[number % len(FOLDERS)], FLAGS[number % len(FLAGS)]
                when = imaplib.Time2Internaldate(FIRST + number * 37 * 3600)
                session.append(f'"{folder}"', flags, when, b"X-Number: %d\r\n" % number + mail)
        clients.introduce(peer, server)
        peer.exec("rm -rf /tmp/moving; mkdir /tmp/moving")
        peer.write("/tmp/moving/rc", mbsyncrc(server).encode())
        yield
    with clients.imap(server, BOB) as session:
        for folder in reversed(FOLDERS):
            session.delete(f'"{folder}"')


def mbsyncrc(server: Target) -> str:
    """Return configuration of mbsync 1.5: these folders of bob's, from there to here."""
    password = sample_accounts.PASSWORDS[BOB].replace("\\", "\\\\").replace('"', '\\"')
    return f"""
IMAPStore there
Host {server.ip}
Port {second_dovecot.PORT}
User {BOB}
Pass {second_dovecot.PASSWORD}
TLSType None
AuthMechs LOGIN

IMAPStore here
Host {sample_accounts.HOSTNAME}
User {BOB}
Pass "{password}"
TLSType IMAPS
CertificateFile {clients.CERTIFICATE}

Channel moving
Far :there:
Near :here:
Patterns chess.com Projects* Gr*
Create Near
Sync Pull
CopyArrivalDate yes
SyncState /tmp/moving/state-
"""


def contents(session: imaplib.IMAP4) -> dict[str, list[Message]]:
    """Return each folder's messages with their flags and dates, but for the field that mbsync adds."""
    found = {}
    for folder in FOLDERS:
        session.select(f'"{folder}"', readonly=True)
        parts = session.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")[1]
        found[folder] = [_message(part) for part in parts if isinstance(part, tuple)]
    return found


def _message(part: tuple[bytes, bytes]) -> Message:
    about = re.search(rb"FLAGS \(([^)]*)\)", part[0])
    when = imaplib.Internaldate2tuple(part[0])
    assert about
    assert when
    flags = sorted(set(about[1].decode().split()) - {r"\Recent"})
    return re.sub(rb"X-TUID: .*\r\n", b"", part[1], count=1), " ".join(flags), time.mktime(when)


def uids(server: Target) -> list[bytes]:
    """Return the UIDs of all messages here, folder by folder."""
    with clients.imap(server, BOB) as session:
        found = []
        for folder in FOLDERS:
            session.select(f'"{folder}"', readonly=True)
            found.append(session.uid("SEARCH", "ALL")[1][0])
    return found


def test_a_mailbox_moves_in_whole_and_once(server: Target, peer: Target, moving: None) -> None:
    mbsync = ["mbsync", "-q", "-c", "/tmp/moving/rc", "moving"]
    peer.exec(mbsync, timeout=240)
    with second_dovecot.imap(server, BOB) as session:
        there = contents(session)
    with clients.imap(server, BOB) as session:
        here = contents(session)
    assert sum(map(len, there.values())) == COUNT
    for folder in FOLDERS:
        assert [message[1:] for message in here[folder]] == [message[1:] for message in there[folder]]
        assert here[folder] == there[folder]
    before = uids(server)
    peer.exec(mbsync, timeout=120)
    assert uids(server) == before
