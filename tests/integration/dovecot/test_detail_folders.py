"""Mail to user+folder goes into an existing folder of users with `detail_folders`; else into INBOX."""

from __future__ import annotations

import imaplib
import uuid
from collections.abc import Iterator

import pytest

from tests.support import clients, sample_accounts
from tests.support.managesieve import install
from tests.support.sample_accounts import REMOTE, STRANGER
from tests.support.temporary_users import PASSWORD, guests
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines

FOLDERS = ("lists", "a/b", "&ANw-ber")
"""The third is Über in modified UTF-7 (RFC 3501, 5.1.3)."""


@pytest.fixture(scope="module")
def users(server: Target) -> Iterator[list[str]]:
    """Yield two users with folders; the first one wants mail in them."""
    with guests(server, "details", "plain") as emails:
        run = ("-y", "mailstack.accounts.user", emails[0], "detail_folders=true")
        assert (
            "detail_folders false -> true" in server.pyinfra(*run, data=sample_accounts.data()).check().stderr
        )
        for email in emails:
            with clients.imap(server, email, password=PASSWORD) as mailbox:
                for folder in FOLDERS:
                    assert mailbox.create(folder)[0] == "OK"
        yield emails


def send(server: Target, address: bytes) -> str:
    """Send a message to an address of any octets, and return its Message-ID; nothing if it is refused."""
    message_id = f"<{uuid.uuid4()}@{REMOTE}>"
    with clients.smtp(server) as session:
        assert session.mail(STRANGER)[0] == 250
        session.send(b"RCPT TO:<" + address + b">\r\n")
        code, _ = session.getreply()
        assert code == 250 or 500 <= code < 600
        if code != 250:
            return ""
        assert session.data(f"Message-ID: {message_id}\r\n\r\nx\r\n".encode())[0] == 250
    return message_id


def where(mailbox: imaplib.IMAP4, message_id: str) -> str:
    """Return the folder that a message arrives in."""

    def found() -> str:
        for folder in ("INBOX", *FOLDERS, "Trash"):
            mailbox.select(folder)
            if clients.find(mailbox, message_id):
                return folder
        return ""

    return clients.eventually(found, f"{message_id} did not arrive")


def folders(mailbox: imaplib.IMAP4) -> list[str]:
    """Return the names of all folders."""
    return sorted(str(line).rpartition(' "/" ')[2] for line in mailbox.list()[1])


def test_mail_goes_into_the_folder_of_users_with_detail_folders(server: Target, users: list[str]) -> None:
    wants, plain = users
    cases = {
        "details+lists@example.org": "lists",
        "DETAILS+lists@Example.org": "lists",
        "details+a/b@example.org": "a/b",
        "details+Trash@example.org": "Trash",
        "details+absent@example.org": "INBOX",
        "details@example.org": "INBOX",
        "details+@example.org": "INBOX",
    }
    with clients.imap(server, wants, password=PASSWORD) as mailbox:
        before = folders(mailbox)
        sent = {address: send(server, address.encode()) for address in cases}
        assert {address: where(mailbox, sent[address]) for address in cases} == cases
        assert folders(mailbox) == before, "a stranger makes no folder"
    with clients.imap(server, plain, password=PASSWORD) as mailbox:
        assert where(mailbox, send(server, b"plain+lists@example.org")) == "INBOX"


def test_other_users_have_no_script(server: Target, users: list[str]) -> None:
    """With any script, each delivery rewrites the list of the whole mailbox, if it is a Maildir."""
    clients.sql(server, f"UPDATE mail_users SET mail_driver = 'maildir' WHERE email = '{users[1]}'")
    send(server, b"plain@example.org")
    size, inode = (f"stat -c %{what} {clients.mail_root(server, users[1])}/dovecot-uidlist" for what in "si")
    clients.eventually(lambda: server.exec(size).stdout != "0", "no list")
    before, length = server.exec(inode).stdout, server.exec(size).stdout
    send(server, b"plain+lists@example.org")
    clients.eventually(lambda: server.exec(size).stdout != length, "the message is not in the list")
    clients.wait_for_empty_queue(server)
    assert server.exec(inode).stdout == before


HOSTILE = [
    b"../x",
    b"../../details/lists",
    b"..",
    b".",
    b"/lists",
    b"lists/",
    b"a//b",
    b"INBOX",
    b"inbox",
    b"${folder}",
    b"`id`",
    b"*",
    b"?",
    b"~vmail",
    b"'--",
    b"lists+more",
    b"&ANw-ber",
    b"&",
    b"x" * 56,
]
REFUSED = [b"%u", b"%{user}", b"$(id)", b"x" * 57, "Über".encode(), b"\xff\xfe"]
"""Invalid addresses, with any text before the plus: they are refused, and not bounced later."""


def test_whatever_a_stranger_writes_after_the_plus(server: Target, users: list[str]) -> None:
    with clients.imap(server, users[0], password=PASSWORD) as mailbox:
        before = folders(mailbox)
        sent = {detail: send(server, b"details+" + detail + b"@example.org") for detail in HOSTILE + REFUSED}
        assert [detail for detail in sent if not sent[detail]] == REFUSED
        assert {detail: where(mailbox, sent[detail]) for detail in HOSTILE} == dict.fromkeys(HOSTILE, "INBOX")
        assert folders(mailbox) == before
    clients.wait_for_empty_queue(server)


def test_a_script_of_ones_own_comes_first(server: Target, users: list[str]) -> None:
    user = users[0]
    scripts = {
        'require "fileinto"; fileinto "a/b";': "a/b",
        'require "imap4flags"; addflag "\\\\Flagged"; keep;': "lists",
        'require "imap4flags"; addflag "\\\\Flagged";': "lists",
    }
    with clients.imap(server, user, password=PASSWORD) as mailbox:
        for script, folder in scripts.items():
            install(server, user, script)
            sent = send(server, b"details+lists@example.org")
            assert where(mailbox, sent) == folder
            if "Flagged" in script:
                flagged = mailbox.search(None, "FLAGGED", "HEADER", "Message-ID", f'"{sent}"')
                assert flagged[1][0], script
