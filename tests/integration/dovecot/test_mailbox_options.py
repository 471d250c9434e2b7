"""The settings of mailboxes: sharing, compression, ages, warnings, and back to the defaults."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, CAROL, STRANGER
from tests.targets.containers import Target

SHARED = f"shared/{ALICE}/Projects/Blue"
SUBJECT = "Postfach zu {percent} % voll – いっぱい"
TEXT = "Mehr als {percent} %: bitte räume auf!\nПожалуйста.\n"
OPTIONS: dict[str, Any] = {
    "mail_shared_folders": True,
    "mail_driver": "sdbox",
    "mail_compression": "zstd",
    "mail_autoexpunge": {"Trash": "1s", "Junk": "30d", "Mailing list": "1s"},
    "mail_quota_warnings": [50],
    "mail_quota_warning_subject": SUBJECT,
    "mail_quota_warning_text": TEXT,
}
ZSTD = b"\x28\xb5\x2f\xfd"


def letter(text: str) -> bytes:
    """Return a message with this text, often enough for compression to pay."""
    return clients.message(STRANGER, ALICE, body=f"{text}\n" * 100).as_bytes()


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server. Alice had mail in a subfolder before the options were set."""
    target = module_clone("mailbox")
    with clients.imap(target, ALICE) as session:
        session.create("Projects/Blue")
        session.subscribe("Projects/Blue")
        session.append("Projects/Blue", "", "", letter("from before"))
    deploys.run(target, sample_accounts.data(**OPTIONS))
    deploys.assert_converged(target, sample_accounts.data(**OPTIONS))
    return target


@pytest.fixture
def alice(host: Target) -> Iterator[imaplib.IMAP4]:
    """Yield a session of alice's."""
    with clients.imap(host, ALICE) as session:
        yield session


def names(session: imaplib.IMAP4) -> list[str]:
    """Return the folders that LIST shows."""
    lines = [line for line in session.list()[1] if isinstance(line, bytes)]
    return [re.sub(r'^\(.*?\) "." "?(.*?)"?$', r"\1", line.decode()) for line in lines]


def shared_names(session: imaplib.IMAP4) -> list[str]:
    """Return those of other users among them."""
    return [name for name in names(session) if name.startswith("shared/")]


def texts(session: imaplib.IMAP4, folder: str) -> list[str]:
    """Return the texts of all messages in a folder; `imaplib.IMAP4.error` if it can't be opened."""
    status, said = session.select(f'"{folder}"', readonly=True)
    if status != "OK":
        raise imaplib.IMAP4.error(said)
    fetched = session.fetch("1:*", "(BODY.PEEK[TEXT])")[1] if said != [b"0"] else []
    return [part[1].decode() for part in fetched if isinstance(part, tuple)]


def compressed(host: Target, folder: str) -> list[bool]:
    """Return whether each message of alice's in a folder is compressed on disk, in some order."""
    path = f"{clients.mail_root(host, ALICE)}/mailboxes/{folder}/dbox-Mails"
    found = host.exec(f"find {path} -name 'u.[0-9]*'").stdout.split()
    return sorted(ZSTD in host.read(path) for path in found)


def test_mail_is_compressed_from_now_on_and_all_of_it_is_readable(host: Target, alice: imaplib.IMAP4) -> None:
    alice.append("Projects/Blue", "", "", letter("from today"))
    assert [text.split("\r\n")[0] for text in texts(alice, "Projects/Blue")] == ["from before", "from today"]
    assert compressed(host, "Projects/Blue") == [False, True]
    message_id = clients.send(host, clients.message(STRANGER, ALICE, body="by LMTP\n" * 100))
    alice.select()
    assert b"by LMTP" in clients.wait_for_mail(alice, message_id)
    assert True in compressed(host, "INBOX")


def test_folders_that_are_not_shared_are_hidden(host: Target) -> None:
    with clients.imap(host, BOB) as session:
        assert shared_names(session) == []
        with pytest.raises(imaplib.IMAP4.error):
            texts(session, SHARED)


def test_a_shared_folder(host: Target, alice: imaplib.IMAP4) -> None:
    assert alice.setacl("Projects/Blue", BOB, "lrs")[0] == "OK"
    assert f" {BOB} lrs" in str(alice.getacl("Projects/Blue")[1])
    with clients.imap(host, BOB) as session:
        assert shared_names(session)[-1] == SHARED
        assert session.myrights(SHARED)[1] == [f"{SHARED} lrs".encode()]
        assert len(texts(session, SHARED)) == 2
        # bob has his own flags
        session.select(SHARED)
        session.store("1", "+FLAGS", "\\Seen")
        assert session.store("1", "+FLAGS", "\\Deleted")[0] == "NO" or not session.expunge()[1][0]
        assert session.append(SHARED, "", "", letter("from bob"))[0] == "NO"
        assert session.setacl(SHARED, CAROL, "lr")[0] == "NO"
    alice.select("Projects/Blue")
    assert alice.search(None, "UNSEEN")[1] == [b"1 2"]
    with clients.imap(host, CAROL) as session:
        assert shared_names(session) == []
        with pytest.raises(imaplib.IMAP4.error):
            texts(session, SHARED)


def test_a_revoked_right_has_no_effect(host: Target, alice: imaplib.IMAP4) -> None:
    assert alice.deleteacl("Projects/Blue", BOB)[0] == "OK"
    with clients.imap(host, BOB) as session:
        assert shared_names(session) == []
        with pytest.raises(imaplib.IMAP4.error):
            texts(session, SHARED)


def test_a_shared_folder_with_a_dot_in_its_name(host: Target, alice: imaplib.IMAP4) -> None:
    shared = f"shared/{ALICE}/chess.com"
    alice.create("chess.com")
    alice.append("chess.com", "", "", letter("e4"))
    assert alice.setacl("chess.com", BOB, "lrs")[0] == "OK"
    with clients.imap(host, BOB) as session:
        assert shared in shared_names(session)
        assert texts(session, shared)[0].startswith("e4")
    assert alice.deleteacl("chess.com", BOB)[0] == "OK"
    assert alice.delete("chess.com")[0] == "OK"


def test_a_new_user_gets_no_rights_of_a_former_user_of_its_address(
    host: Target, alice: imaplib.IMAP4
) -> None:
    guest, shared = "guest@example.org", f"shared/{ALICE}/For guests"
    same = f"INSERT INTO mail_users (email, password) SELECT '{guest}', password FROM mail_users"
    insert = f"{same} WHERE email = '{ALICE}';"
    clients.sql(host, insert)
    alice.create('"For guests"')

    def seen() -> list[str]:
        with clients.imap(host, guest, password=sample_accounts.PASSWORDS[ALICE]) as session:
            return shared_names(session)

    def grant() -> None:
        assert alice.setacl('"For guests"', guest, "lr")[0] == "OK"
        assert shared in seen()

    grant()
    clients.sql(host, f"DELETE FROM mail_users WHERE email = '{guest}'; {insert}")
    assert seen() == []
    with clients.imap(host, guest, password=sample_accounts.PASSWORDS[ALICE]) as session:
        assert session.select(f'"{shared}"')[0] == "NO"
    data = sample_accounts.data(**OPTIONS)
    assert f"- what others shared with {guest}" in deploys.run(host, data).stderr
    deploys.assert_converged(host, data)
    assert guest not in str(alice.getacl('"For guests"')[1])
    grant()
    gone = host.pyinfra("-y", "mailstack.accounts.user", guest, "present=false", data=data).check()
    assert f"- what others shared with {guest}" in gone.stderr
    assert guest not in str(alice.getacl('"For guests"')[1])
    assert clients.sql(host, "SELECT email FROM mail_former_addresses") == ""


def test_rights_for_anyone_are_refused(alice: imaplib.IMAP4) -> None:
    with pytest.raises(imaplib.IMAP4.error, match="disallowed"):
        alice.setacl("Projects/Blue", "anyone", "lr")


def test_old_mail_is_deleted(host: Target) -> None:
    kept = {"INBOX", "Junk", "Archive"}
    with clients.imap(host, BOB) as session:
        session.create('"Mailing list"')
        for folder in (*kept, "Trash", '"Mailing list"'):
            session.append(folder, "", "", letter("old"))

    def left() -> set[str]:
        with clients.imap(host, BOB) as session:  # a session ends with what has to go
            return {name for name in (*kept, "Trash", "Mailing list") if texts(session, name)}

    clients.eventually(lambda: left() == kept, "mail stays")


def test_a_warning_has_the_text_of_the_inventory(host: Target) -> None:
    clients.sql(host, f"UPDATE mail_users SET quota_mb = 1 WHERE email = '{BOB}'")
    with clients.imap(host, BOB) as session:
        session.append("INBOX", "", "", letter("x" * 6_000))

        def warnings() -> list[EmailMessage]:
            session.noop()
            parts = session.fetch("1:*", "(BODY.PEEK[])")[1]
            raw = [part[1] for part in parts if isinstance(part, tuple)]
            mails = [message_from_bytes(mail, policy=policy.default) for mail in raw]
            return [mail for mail in mails if mail["Subject"] == SUBJECT.replace("{percent}", "50")]

        (warning,) = clients.eventually(warnings, "no warning")
    assert warning.get_content().replace("\r\n", "\n") == TEXT.replace("{percent}", "50")


def test_a_warning_that_cannot_be_sent_does_not_harm_the_mail(host: Target, alice: imaplib.IMAP4) -> None:
    clients.sql(host, f"UPDATE mail_users SET quota_messages = 20 WHERE email = '{ALICE}'")
    host.exec("mv /etc/dovecot/quota-warning /etc/dovecot/quota-warning.away")
    try:
        sent = [clients.send(host, clients.message(STRANGER, ALICE)) for _ in range(10)]
        alice.select()
        for message_id in sent:
            assert clients.wait_for_mail(alice, message_id)
        clients.wait_for_empty_queue(host)
    finally:
        host.exec("mv /etc/dovecot/quota-warning.away /etc/dovecot/quota-warning")


def test_mail_for_a_mailbox_that_cannot_be_written_waits(host: Target) -> None:
    mail = clients.mail_root(host, CAROL)
    with clients.imap(host, CAROL):
        host.exec(f"chmod 0 {mail}")
    message_id = clients.send(host, clients.message(STRANGER, CAROL))
    clients.eventually(lambda: [line for line in clients.queue(host) if " 451 " in line], "it does not wait")
    host.exec(f"chmod 700 {mail} && postqueue -f")
    assert clients.received(host, CAROL, message_id)
    assert clients.log(host, "status=bounced|sender non-delivery") == []


def test_back_again_with_another_separator(host: Target) -> None:
    """This test is the last, as it changes the host: nothing is lost, and compressed mail stays readable."""
    data = sample_accounts.data(mail_namespace_separator=".")
    deploys.run(host, data)
    deploys.assert_converged(host, data)
    with clients.imap(host, ALICE) as session:
        assert session.namespace()[1] == [b'(("" ".")) NIL NIL']
        assert "Projects.Blue" in names(session)
        assert "Projects.Blue" in str(session.lsub()[1])
        before = texts(session, "Projects.Blue")
        assert [text.split("\r\n")[0] for text in before] == ["from before", "from today"]
        session.append("Projects.Blue", "", "", letter("from tomorrow"))
        assert compressed(host, "Projects/Blue").count(True) == 1
        session.create("Projects.Green")
        assert session.create("and/or")[0] == "OK" and session.select("and/or")[0] == "OK"
    deploys.assert_mail_flows(host)
