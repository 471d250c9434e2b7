"""Names of folders, and home directories, that would lead out of a user's mail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support import clients
from tests.support.sample_accounts import STRANGER
from tests.support.talk import CLOSED, IMAP, Talk, plain, talk
from tests.support.temporary_users import PASSWORD, guests
from tests.targets.containers import Target
from tests.targets.shell import TargetError

pytestmark = pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)

#: A message of another user, which none of the names may reach.
SECRET = b"another-user-s-secret"
#: Octets as IMAP has them. `{}` is the directory of the other user, below that of all.
NAMES = [
    "..",
    "../x",
    "../../../{}/sdbox/mailboxes/INBOX",
    "../../../{}/Maildir",
    "../../../../etc/x",
    "/etc/x",
    "/var/vmail/{}",
    "//x",
    "a//x",
    "a/../../x",
    "INBOX/../../x",
    "./x",
    "a/.",
    "a/",
    "~",
    "~/x",
    "~root/x",
    "~victim2@example.org/x",
    "%u",
    "%{{home}}/x",
    "$HOME/x",
    "`id`",
    "&AC4ALgAv-x",  # ../ in modified UTF-7 (RFC 3501, 5.1.3)
    "&AC8-etc&AC8-x",
    "&AAA-x",
    "&AH8-2e&AH8-2e/x",  # 0x7F: what escapes dots on disk
    "\x7f2e\x7f2e/x",
    "x\0y",
    "x\ny",
    "x\r\nz LOGOUT",
    "\xff\xfe",
    "x" * 300,
    "x" * 5000,
    "a/" * 300 + "a",
    "dbox-Mails",
    "mailboxes/x",
    "cur",
    "new/x",
    "tmp",
    "sieve/x.sieve",
    "subscriptions",
    "dovecot.index.log",
    "maildirfolder",
]
#: Commands about a name, or about two.
COMMANDS = [
    b"CREATE %s",
    b"SUBSCRIBE %s",
    b"APPEND %s {14+}\r\nSubject: x\r\n\r\n",
    b"STATUS %s (MESSAGES)",
    b'LIST "" %s',
    b'LIST %s "*"',
    b"SELECT %s",
    b"FETCH 1:* BODY.PEEK[]",
    b"CLOSE",
    b"RENAME %s renamed",
    b"RENAME renamed %s",
    b"UNSUBSCRIBE %s",
    b"DELETE %s",
]


@pytest.fixture(params=["sdbox", "maildir"])
def both(unharmed: Target, request: pytest.FixtureRequest) -> Iterator[tuple[str, str]]:
    """Yield two users, with either mail driver; the second one has a message with the secret."""
    with guests(unharmed, "victim1", "victim2") as (user, other):
        clients.sql(
            unharmed, f"UPDATE mail_users SET mail_driver = '{request.param}' WHERE email LIKE 'victim_@%'"
        )
        for each in (user, other):
            letter = clients.message(STRANGER, each, body=SECRET.decode() if each == other else "x")
            clients.received(unharmed, each, clients.send(unharmed, letter), PASSWORD)
        yield user, other


def ask(connection: Talk, name: bytes) -> Iterator[bytes]:
    """Yield the answer to each command about a folder of that name."""
    literal = b"{%d+}\r\n%s" % (len(name), name)
    for command in COMMANDS:
        yield connection.say(b"z " + command.replace(b"%s", literal) + b"\r\n", IMAP.answered)


def test_no_name_of_a_folder_leads_out(unharmed: Target, both: tuple[str, str]) -> None:
    """Each command is answered, no file outside of the user's directory is written, and none is read."""
    user, other = both
    directory = clients.home(unharmed, other).removeprefix("/var/vmail/")
    stamp = "/root/before"
    unharmed.exec(f"touch {stamp}")
    for name in NAMES:
        with talk(unharmed, IMAP, tls=True) as connection:
            assert IMAP.welcome in connection.say(IMAP.login % plain(user, PASSWORD), IMAP.answered)
            for answer in ask(connection, name.format(directory).encode("latin-1")):
                assert SECRET not in answer, (name, answer)
                if answer.endswith(CLOSED):
                    break
    outside = f"find / -xdev -newer {stamp} -user vmail ! -path '{clients.home(unharmed, user)}/*'"
    home = clients.home(unharmed, user)
    assert unharmed.exec(outside).stdout.split() in ([], [home])


#: The columns that say where mail is, with what they may not be.
OUTSIDE = ["../x", "x/..", "/srv/../etc", "/var/vmail/..", "/srv/x\n/y", "/srv/\x01", ""]
DIRECTORIES = {"home_directory": [*OUTSIDE, "x", "~/x"], "mail_directory": [*OUTSIDE, "/etc"]}


@pytest.mark.parametrize("column", DIRECTORIES)
def test_the_database_takes_no_such_directory(abused: Target, column: str) -> None:
    with guests(abused, "victim3") as (user,):
        for value in DIRECTORIES[column]:
            with pytest.raises(TargetError, match="mailstack_users_"):
                clients.sql(abused, f"UPDATE mail_users SET {column} = '{value}' WHERE email = '{user}'")
