"""Names of folders: a dot is part of the name, and existing folders keep theirs."""

from __future__ import annotations

import imaplib
import re
from collections.abc import Iterator, Sequence

import pytest

from tests.support import clients
from tests.support.managesieve import install
from tests.support.sample_accounts import STRANGER
from tests.support.temporary_users import PASSWORD, guests
from tests.targets.containers import Target

#: As IMAP has them: the second is Grüße v2.0 in modified UTF-7 (RFC 3501, 5.1.3).
DOTTED = ["chess.com", "Gr&APwA3w-e v2.0", "Work/v1.2/final.", ".profile", "~x"]
#: On disk before names were escaped, and what they are called.
BEFORE = {
    ".Projects.Blue": "Projects/Blue",
    ".a^2eb": "a^2eb",
    ".50%": "50%",
    ".x\\2ey": "x\\\\2ey",
    ".&ANw-ber": "&ANw-ber",
}


@pytest.fixture(scope="module", params=["sdbox", "maildir"])
def user(server: Target, request: pytest.FixtureRequest) -> Iterator[str]:
    """Yield a user whose script files mail into a folder with a dot in its name, with either mail driver."""
    with guests(server, "dots") as (email,):
        clients.sql(server, f"UPDATE mail_users SET mail_driver = '{request.param}' WHERE email = '{email}'")
        install(
            server,
            email,
            'require ["fileinto", "mailbox"];'
            'if header :is "subject" "chess" { fileinto :create "chess.com"; }',
        )
        yield email


@pytest.fixture
def session(server: Target, user: str) -> Iterator[imaplib.IMAP4]:
    """Yield a session of the user's."""
    with clients.imap(server, user, password=PASSWORD) as session:
        yield session


def names(lines: Sequence[object]) -> set[str]:
    """Return the names in answers to LIST or LSUB."""
    texts = (line.decode() for line in lines if isinstance(line, bytes))
    return {match[1] for text in texts if (match := re.fullmatch(r'\(.*?\) "/" "?(.*?)"?', text))}


@pytest.mark.parametrize("name", DOTTED)
def test_a_dot_is_part_of_the_name(session: imaplib.IMAP4, name: str) -> None:
    quoted = f'"{name}"'
    assert session.create(quoted)[0] == "OK"
    assert session.subscribe(quoted)[0] == "OK"
    assert name in names(session.list()[1]) & names(session.lsub()[1])
    assert session.append(quoted, "", "", b"Subject: kept\r\n\r\nneedle\r\n")[0] == "OK"
    assert session.select(quoted) == ("OK", [b"1"])
    assert session.search(None, "BODY", "needle")[1] == [b"1"]
    assert session.close()[0] == "OK"
    assert session.rename(quoted, '"moved.to/v3.1"')[0] == "OK"
    assert session.select('"moved.to/v3.1"') == ("OK", [b"1"])
    session.close()
    assert session.rename('"moved.to/v3.1"', quoted)[0] == "OK"
    assert session.select(quoted) == ("OK", [b"1"])
    session.close()
    assert session.unsubscribe(quoted)[0] == "OK"
    assert session.delete(quoted)[0] == "OK"
    assert name not in names(session.list()[1])


def test_sieve_files_into_it(server: Target, user: str, session: imaplib.IMAP4) -> None:
    letters = [clients.message(STRANGER, user, subject=subject) for subject in ("chess", "chess", "other")]
    sent = [clients.send(server, letter) for letter in letters]
    session.select("INBOX")
    clients.wait_for_mail(session, sent[2])
    clients.wait_for_empty_queue(server)
    assert session.select("chess.com") == ("OK", [b"2"])
    assert "chess" not in names(session.list()[1])


@pytest.mark.parametrize("user", ["maildir"], indirect=True)
def test_existing_folders_keep_their_names(server: Target, user: str) -> None:
    maildir = clients.mail_root(server, user)
    for number, folder in enumerate(BEFORE):
        path = f"{maildir}/{folder}"
        server.exec(["mkdir", "-p", *(f"{path}/{part}" for part in ("cur", "new", "tmp"))])
        server.write(f"{path}/cur/{number}.M1P1.x:2,S", b"Subject: from before\n\nx\n")
        server.exec(["chown", "-R", "vmail:", path])

    def all_there() -> bool:
        with clients.imap(server, user, password=PASSWORD) as session:
            return set(BEFORE.values()) <= names(session.list()[1])

    clients.eventually(all_there, "a folder is not listed")
    with clients.imap(server, user, password=PASSWORD) as session:
        for name in BEFORE.values():
            assert session.select(f'"{name}"') == ("OK", [b"1"]), name
    assert set(BEFORE) <= set(server.exec(["ls", "-A", maildir]).stdout.splitlines())
