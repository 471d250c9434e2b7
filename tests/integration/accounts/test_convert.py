"""Mail is carried over to another mail driver, and back, while it arrives and is read."""

from __future__ import annotations

import imaplib
import re
import smtplib
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from tests.support import clients, sample_accounts
from tests.support.mailbox_to_convert import COUNT, FOLDERS, Message, convert, driver, fill, seen
from tests.support.sample_accounts import STRANGER
from tests.support.temporary_users import PASSWORD, guests
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines

#: Holds back the change of the driver, which comes when the mailbox is locked.
WAIT = """
CREATE FUNCTION hold_back() RETURNS trigger LANGUAGE plpgsql AS
    'BEGIN PERFORM pg_sleep(50); RETURN NEW; END';
CREATE TRIGGER hold_back BEFORE UPDATE OF mail_driver ON mail_users FOR EACH ROW EXECUTE FUNCTION hold_back();
"""
GO_ON = "DROP TRIGGER hold_back ON mail_users; DROP FUNCTION hold_back();"


@pytest.fixture
def user(server: Target) -> Iterator[str]:
    """Yield a user with a Maildir."""
    with guests(server, "moving") as (email,):
        fill(server, email)
        yield email


def test_there_and_back_again_everything_stays(server: Target, user: str) -> None:
    before = seen(server, user)
    assert any("Wichtig" in one.flags for one in before["INBOX"] if isinstance(one, Message))
    dry = server.pyinfra("--dry", "mailstack.accounts.convert", user, data=sample_accounts.data()).check()
    assert f"~ user {user}: mail_driver maildir -> sdbox" in dry.stderr
    assert driver(server, user) == "Maildir"

    said = convert(server, user).check().stderr
    assert re.search(rf"1 of 1: {user}: {COUNT} messages, locked for \d+[.]\d+ s", said)
    assert driver(server, user) == "sdbox"
    assert seen(server, user) == before
    assert convert(server, user).check().changed == []
    filed = clients.send(server, clients.message(STRANGER, user, subject="chess"))
    with clients.imap(server, user, password=PASSWORD) as session:
        clients.eventually(lambda: session.select("chess.com")[0] == "OK", "no folder")
        clients.wait_for_mail(session, filed)

    before = seen(server, user)
    home = clients.home(server, user)
    assert server.exec(f"cat {home}/Maildir").stdout.startswith("The mail that was here is in")
    said = convert(server, user, "mail_driver=maildir", "delete_old=true").check().stderr
    assert f"1 of 1: {user}: {COUNT + 1} messages" in said, said
    assert seen(server, user) == before
    assert driver(server, user) == "Maildir"
    listed = server.exec(["ls", home]).stdout.split()
    assert "Maildir.old" in listed and "sdbox.old" not in listed


def test_an_old_copy_is_not_overwritten(server: Target, user: str) -> None:
    old = f"{clients.home(server, user)}/Maildir.old"
    server.exec(["install", "-d", "-o", "vmail", f"{old}/cur"])
    run = convert(server, user)
    assert run.returncode != 0
    assert f"{user}: {old} is there already; move it away, or delete it" in run.stdout + run.stderr
    assert driver(server, user) == "Maildir"


@contextmanager
def traffic(server: Target, user: str) -> Iterator[list[str]]:
    """Yield Message-IDs of mail that is sent all the while, as a client sets and removes flags."""
    stop, sent, refused = threading.Event(), list[str](), list[int]()

    def send() -> None:
        while not stop.is_set():
            mail = clients.message(STRANGER, user, subject="traffic")
            try:
                sent.append(clients.send(server, mail))
            except smtplib.SMTPRecipientsRefused as error:
                refused.extend(code for code, _ in error.recipients.values() if code >= 500)
            except smtplib.SMTPResponseException as error:
                refused.extend(code for code in [error.smtp_code] if code >= 500)
            except OSError:  # no answer in time; a sender tries again
                continue

    def read() -> None:
        while not stop.is_set():
            # the session ends, and a login may fail
            faults = suppress(imaplib.IMAP4.error, OSError, EOFError)
            with faults, clients.imap(server, user, password=PASSWORD) as session:
                while not stop.is_set():
                    session.select("Junk")
                    session.store("1:*", "+FLAGS", "\\Flagged")
                    session.store("1:*", "-FLAGS", "\\Flagged")
                    session.select("INBOX")

    threads = [threading.Thread(target=work) for work in (send, read)]
    for thread in threads:
        thread.start()
    try:
        yield sent
    finally:
        stop.set()
        for thread in threads:
            thread.join(3 * clients.TIMEOUT)
    assert refused == [] and not any(thread.is_alive() for thread in threads)


def trace(server: Target, user: str, number: str) -> str:
    """Return the user's files that have a Message-ID, and what was logged of the message, a line each."""
    files = server.exec(["grep", "-rlF", number, clients.home(server, user)], check=False).stdout.split("\n")
    about = re.escape(number)
    queue_ids = [line.partition(":")[0] for line in clients.log(server, f"message-id={about}")]
    logged = clients.log(server, "|".join([about, *(f"^{one}:" for one in queue_ids)]))
    return "\n".join([number, *files, *logged])


def test_mail_arrives_meanwhile(server: Target, user: str) -> None:
    before = seen(server, user)
    with traffic(server, user) as sent:
        clients.eventually(lambda: len(sent) > 5, "nothing is sent")
        convert(server, user).check()
        enough = len(sent) + 5
        clients.eventually(lambda: len(sent) > enough, "nothing is sent afterwards", 180)
    clients.wait_for_empty_queue(server, 180)
    after = seen(server, user)
    assert {folder: after[folder] for folder in FOLDERS[1:3]} == {
        folder: before[folder] for folder in FOLDERS[1:3]
    }
    assert [one.uid for one in after["Junk"] if isinstance(one, Message)] == [
        one.uid for one in before["Junk"] if isinstance(one, Message)
    ]
    with clients.imap(server, user, password=PASSWORD) as session:
        arrived = Counter(clients.fields(session, "Message-ID").values())
    lost = [one for one in sent if one not in arrived]
    assert not lost, "\n".join(trace(server, user, one) for one in lost[:3])
    for twice in [one for one in sent if arrived[one] > 1]:  # one that the lock cut off, and Postfix repeated
        about = trace(server, user, twice)
        assert "status=deferred" in about, about
    assert driver(server, user) == "sdbox"


@pytest.mark.postgresql
def test_a_run_that_is_killed_while_the_mailbox_is_locked(server: Target, user: str) -> None:
    before = seen(server, user)
    clients.sql(server, WAIT)
    try:
        running = threading.Thread(target=convert, args=(server, user))
        running.start()
        note = f"mountpoint -q {clients.home(server, user)}/Maildir"
        clients.eventually(lambda: not server.exec(note, check=False).returncode, "not locked")
        waiting = clients.send(server, clients.message(STRANGER, user))
        clients.eventually(lambda: user in str(clients.queue(server)), "it does not wait")
        server.exec(["systemctl", "kill", "-s", "KILL", "mailstack-convert"])
        running.join(3 * clients.TIMEOUT)
        clients.eventually(lambda: server.exec(note, check=False).returncode, "still locked")
    finally:
        clients.sql(server, GO_ON)
    assert clients.received(server, user, waiting, PASSWORD)
    there = seen(server, user)
    assert {folder: there[folder] for folder in FOLDERS[1:]} == {
        folder: before[folder] for folder in FOLDERS[1:]
    }
    convert(server, user).check()
    assert seen(server, user) == there
