"""The owner reads: IMAP (RFC 3501) on 143 with STARTTLS and on 993, and never a password in the clear."""

from __future__ import annotations

import imaplib
import re
import shlex
import socket
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import clients, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, CAROL, DAVE, ERIN
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines

SPECIAL_USE = {
    "Archive": "\\Archive",
    "Drafts": "\\Drafts",
    "Junk": "\\Junk",
    "Sent": "\\Sent",
    "Trash": "\\Trash",
}


@pytest.mark.parametrize("port", [143, 993])
@pytest.mark.parametrize("user", [ALICE, BOB, CAROL])
def test_each_user_logs_in(server: Target, user: str, port: int) -> None:
    with clients.imap(server, user, port) as session:
        assert session.state == "SELECTED"


def test_the_login_command_takes_any_password(server: Target) -> None:
    for user in (ALICE, BOB, ALICE.upper()):
        session = imaplib.IMAP4_SSL(server.ip, ssl_context=clients.tls(), timeout=clients.TIMEOUT)
        with session:
            assert session.login(user, sample_accounts.PASSWORDS[user.lower()])[0] == "OK"


def test_logins_that_are_refused(server: Target) -> None:
    attempts = {
        ALICE: sample_accounts.PASSWORDS[BOB],
        DAVE: sample_accounts.PASSWORDS[DAVE],
        ERIN: sample_accounts.PASSWORDS[ERIN],
        "unknown@example.org": "x",
        "info@example.org": sample_accounts.PASSWORDS[ALICE],
        "root": "x",
    }

    def refused(user: str) -> None:
        with pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"):
            clients.imap(server, user, password=attempts[user]).__enter__()

    with ThreadPoolExecutor(len(attempts)) as pool:  # each answer is delayed by 2 s
        list(pool.map(refused, attempts))


def test_no_login_without_tls(server: Target, peer: Target) -> None:
    with imaplib.IMAP4(server.ip, timeout=clients.TIMEOUT) as session:
        assert "LOGINDISABLED" in session.capabilities
        assert "STARTTLS" in session.capabilities
        assert not [name for name in session.capabilities if name.startswith("AUTH=")]
        with pytest.raises(imaplib.IMAP4.error, match=r"PRIVACYREQUIRED|BAD"):
            session.login(ALICE, sample_accounts.PASSWORDS[ALICE])
        with pytest.raises(imaplib.IMAP4.error, match=r"PRIVACYREQUIRED|BAD"):
            session.authenticate("PLAIN", lambda _: f"\0{ALICE}\0{sample_accounts.PASSWORDS[ALICE]}".encode())


def test_the_usual_folders_exist_with_their_special_use(server: Target) -> None:
    with clients.imap(server, CAROL) as session:
        assert b" SPECIAL-USE" in session.capability()[1][0]
        special = folders(session.list())
        assert {
            name: flags & set(SPECIAL_USE.values()) for name, flags in special.items() if name != "INBOX"
        } == {name: {flag} for name, flag in SPECIAL_USE.items()}
        assert set(SPECIAL_USE) <= set(folders(session.lsub()))
        for name in SPECIAL_USE:
            assert session.select(name)[0] == "OK"


def folders(answer: tuple[str, Sequence[object]]) -> dict[str, set[str]]:
    """Return the flags of each folder, by its name, in an answer to LIST or LSUB."""
    lines = [line.decode() for line in answer[1] if isinstance(line, bytes)]
    found = [re.fullmatch(r'\((.*)\) "/" "?([^"]*)"?', line) for line in lines]
    return {match[2]: set(match[1].split()) for match in found if match}


def test_folders_are_created_filled_renamed_and_removed(server: Target) -> None:
    mail = clients.message(CAROL, CAROL).as_bytes()
    with clients.imap(server, CAROL) as session:
        for name in ("Projekte/2026", "Projekte/2027"):
            session.delete(name)
        assert session.create("Projekte/2026")[0] == "OK"
        assert session.append("Projekte/2026", "\\Seen", "", mail)[0] == "OK"
        assert session.rename("Projekte/2026", "Projekte/2027")[0] == "OK"
        assert session.select("Projekte/2027")[1] == [b"1"]
        assert session.delete("Projekte/2027")[0] == "OK"


@pytest.mark.parametrize("url", [f"imaps://{sample_accounts.HOSTNAME}", f"imap://{sample_accounts.HOSTNAME}"])
def test_curl_reads(server: Target, peer: Target, url: str) -> None:
    message_id = clients.send(server, clients.message(sample_accounts.STRANGER, BOB, body="read by curl\n"))
    assert clients.received(server, BOB, message_id)
    clients.introduce(peer, server)
    curl = [
        "curl",
        "-sS",
        "--ssl-reqd",
        "--cacert",
        clients.CERTIFICATE,
        "--user",
        f"{BOB}:{sample_accounts.PASSWORDS[BOB]}",
    ]
    found = peer.exec([*curl, f"{url}/INBOX?HEADER%20Message-ID%20{message_id.strip('<>')}"]).stdout
    number = re.fullmatch(r"\* SEARCH (\d+)\s*", found)
    assert number, found
    assert "\nread by curl" in peer.exec([*curl, f"{url}/INBOX;MAILINDEX={number[1]}"]).stdout


def test_mbsync_copies_a_mailbox(server: Target, peer: Target) -> None:
    message_id = clients.send(server, clients.message(sample_accounts.STRANGER, BOB, body="read by mbsync\n"))
    assert clients.received(server, BOB, message_id)
    clients.introduce(peer, server)
    peer.exec("rm -rf /tmp/mbsync; mkdir -p /tmp/mbsync")
    for tls in ("IMAPS", "STARTTLS"):
        near = f"/tmp/mbsync/{tls}"
        peer.write("/tmp/mbsync/rc", mbsyncrc(tls, near).encode())
        peer.exec(["mkdir", "-p", near])
        peer.exec(["mbsync", "-q", "-c", "/tmp/mbsync/rc", "bob"])
        found = peer.exec(["grep", "-rlF", message_id, f"{near}/INBOX"]).stdout.split()
        assert len(found) == 1
        assert b"\nread by mbsync\n" in peer.read(found[0])
        assert {"INBOX", *SPECIAL_USE} <= set(peer.exec(["ls", near]).stdout.split())


def mbsyncrc(tls: str, near: str) -> str:
    """Return configuration of mbsync 1.5 (Debian 13): all of Bob's folders, copied to `near`."""
    password = sample_accounts.PASSWORDS[BOB].replace("\\", "\\\\").replace('"', '\\"')
    return f"""
IMAPStore far
Host {sample_accounts.HOSTNAME}
User {BOB}
Pass "{password}"
TLSType {tls}
CertificateFile {clients.CERTIFICATE}

MaildirStore near
Path {near}/
Inbox {near}/INBOX
SubFolders Verbatim

Channel bob
Far :far:
Near :near:
Patterns *
Create Near
Sync Pull
SyncState {shlex.quote(near)}/state-
"""


def test_pop3_is_not_offered(server: Target) -> None:
    for port in (110, 995):
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((server.ip, port), timeout=5)
