"""A server built by hand after the article: `bench/handmade`, with other names and ids."""

from __future__ import annotations

import imaplib
from typing import NamedTuple

from bench.servers import HANDMADE
from tests.support import clients
from tests.support.logins import hashed
from tests.targets.containers import Target
from tests.targets.shell import docker

#: The article's owner and numbers, and no POP3, which Debian has in a package of its own.
_OTHER = r"s/5000/2000/g; s/mailro/mailadmin/g; s/^\(protocols = imap\) pop3/\1/; /^  pop3 = yes/d"
#: A message, with a line that Maildir stores as it is.
MESSAGE = "From: x@remote.example.net\r\nTo: y@example.org\r\nSubject: Nr. {}\r\n\r\nFrom by hand\r\n"


class Mailbox(NamedTuple):
    """A folder as a client sees it, which must not change by a move."""

    uidvalidity: bytes
    messages: tuple[bytes, ...]


def build(target: Target, *users: str) -> None:
    """Make `target`, which has the packages, such a server; each user has a hash of `logins.PASSWORD`.

    `vmail` is 2000:2000, and the daemons look up as `mailadmin`, whose password is in their files.
    """
    target.exec("mkdir -p /root/handmade")
    docker("cp", f"{HANDMADE}/.", f"{target.name}:/root/handmade")
    # the run that brought the packages was cut off before it had our configuration for them; as Debian starts
    # Postfix, it makes its directories. On 13 its package makes no aliases where it finds a main.cf.
    target.exec("[ -e /etc/aliases ] || echo 'postmaster: root' > /etc/aliases")
    target.exec("systemctl unmask --quiet postfix dovecot && systemctl start postfix")
    target.exec(f"cd /root/handmade && sed -i '{_OTHER}' *.sh *.sql *.conf")
    target.exec(["sh", "/root/handmade/install.sh", "configured"], timeout=120)
    hashes = hashed(target, *["SHA512-CRYPT"] * len(users))
    hashes[-1] = hashes[-1].removeprefix("{SHA512-CRYPT}")  # one without its scheme
    clients.sql(
        target,
        "ALTER DATABASE mail OWNER TO mailadmin; ALTER TABLE mail_domain OWNER TO mailadmin;"
        "ALTER TABLE mail_users OWNER TO mailadmin; ALTER TABLE mail_alias OWNER TO mailadmin;"
        f"INSERT INTO mail_alias VALUES ('info@example.org', '{users[0]}', 'example.org');"
        + "".join(
            f"UPDATE mail_users SET password = '{text}' WHERE email = '{user}';"
            for user, text in zip(users, hashes, strict=True)
        ),
    )


def fill(session: imaplib.IMAP4) -> None:
    """Put mail with flags and a folder into a mailbox."""
    session.create("Projects/2026")
    for number, folder in enumerate(["INBOX", "INBOX", "INBOX", "Projects/2026"]):
        flags = ("(\\Seen)", "(\\Flagged $Label1)", "()", "(\\Answered)")[number]
        date = '"01-Feb-2020 10:00:00 +0000"'
        answer, _ = session.append(folder, flags, date, MESSAGE.format(number).encode())
        assert answer == "OK"
    session.uid("STORE", "1", "+FLAGS", "(\\Deleted)")
    session.expunge()  # so that UIDs are no plain numbers


def look(session: imaplib.IMAP4, folder: str) -> Mailbox:
    """Return a folder, its UIDs, flags, dates and messages."""
    session.select(folder, readonly=True)
    _, answers = session.uid("FETCH", "1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
    flat = [part for answer in answers for part in (answer if isinstance(answer, tuple) else (answer,))]
    uidvalidity = session.response("UIDVALIDITY")[1][0]
    assert isinstance(uidvalidity, bytes)
    return Mailbox(uidvalidity, tuple(part for part in flat if isinstance(part, bytes)))
