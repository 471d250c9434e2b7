"""A mailbox to carry over to another mail driver, and all that a client sees of it."""

from __future__ import annotations

import hashlib
import imaplib
import re
from typing import NamedTuple

from tests.support import clients, sample_accounts
from tests.support.managesieve import install
from tests.support.sample_accounts import STRANGER
from tests.support.temporary_users import PASSWORD
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

DATES = ('" 1-Feb-2020 10:11:12 +0100"', '"31-Dec-1999 23:59:59 +0000"')
#: The last has an umlaut in modified UTF-7 (RFC 3501, 5.1.3).
FOLDERS = ("INBOX", "Projects/Blue", "chess.com", "Junk", '"Gr&APwA3w-e v2.0"')
FLAGS = ("", "\\Seen", "\\Flagged \\Answered", "\\Draft", "$Label1 Wichtig")
COUNT = len(FOLDERS) * (len(FLAGS) - 1)


class Message(NamedTuple):
    """A message as a client sees it."""

    uid: str
    flags: frozenset[str]
    date: str
    size: str
    content: str


def fill(server: Target, email: str) -> None:
    """Give a user a Maildir: folders, flags, keywords, dates, gaps between UIDs, and a script."""
    clients.sql(server, f"UPDATE mail_users SET mail_driver = 'maildir' WHERE email = '{email}'")
    install(server, email, 'require "fileinto"; if header :is "subject" "chess" {fileinto "chess.com";}')
    with clients.imap(server, email, password=PASSWORD) as session:
        for number, folder in enumerate(FOLDERS):
            session.create(folder)
            for place, flags in enumerate(FLAGS):
                body = f"message {place} in {folder}\n" * (1 + 50 * place)
                mail = clients.message(STRANGER, email, subject=f"{number} {place}", body=body)
                session.append(folder, f"({flags})", DATES[place % 2], mail.as_bytes())
            session.select(folder)
            session.store("2", "+FLAGS", "\\Deleted")
            session.expunge()
        session.subscribe("chess.com")
        session.unsubscribe("Junk")


def convert(server: Target, users: str, *args: str) -> PyinfraRun:
    """Run the command as a person does."""
    command = ("-y", "--json", "mailstack.accounts.convert", users, *args)
    return server.pyinfra(*command, data=sample_accounts.data())


def driver(server: Target, user: str) -> str:
    """Return the name of the directory in which Dovecot looks for the mail."""
    field = "mail" if server.debian == 12 else "mail_path"
    return server.exec(["doveadm", "user", "-f", field, user]).stdout.strip().rpartition("/")[2]


def seen(server: Target, user: str) -> dict[str, list[str] | list[Message]]:
    """Return all that a client sees."""
    found: dict[str, list[str] | list[Message]] = {}
    with clients.imap(server, user, password=PASSWORD) as session:
        found["subscribed"] = sorted(map(str, session.lsub()[1]))
        listed = [line.decode() for line in session.list()[1] if isinstance(line, bytes)]
        found["folders"] = sorted(line.partition(") ")[2] for line in listed)
        for folder in FOLDERS:
            assert session.select(folder)[0] == "OK", folder
            status = session.status(folder, "(MESSAGES UIDNEXT UIDVALIDITY UNSEEN)")[1][0]
            found[f"status of {folder}"] = [str(status).partition("(")[2]]
            found[folder] = messages(session)
    return found


def messages(session: imaplib.IMAP4) -> list[Message]:
    """Return the messages of the selected folder."""
    found = []
    for answer in session.fetch("1:*", "(UID FLAGS INTERNALDATE RFC822.SIZE BODY.PEEK[])")[1]:
        if isinstance(answer, tuple):
            about, content = answer[0].decode(), answer[1]
            part = re.search(r"UID (\d+) FLAGS \((.*?)\) INTERNALDATE (\".*?\") RFC822.SIZE (\d+)", about)
            assert part, about
            flags = frozenset(part[2].split()) - {"\\Recent"}
            digest = hashlib.sha256(content).hexdigest()
            found.append(Message(part[1], flags, part[3], part[4], digest))
    return found
