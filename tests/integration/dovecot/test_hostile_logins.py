"""Logins that no honest client would try: each gets the right answer, and the next valid login works."""

from __future__ import annotations

import re
import socket
import ssl
from base64 import b64encode
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from tests.support import clients, sample_accounts
from tests.support.sample_accounts import ALICE, BOB
from tests.support.talk import IMAP, SMTP, Talk, plain, talk
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines

GOOD = sample_accounts.PASSWORDS[ALICE]


#: Invalid user names, which must all be refused.
NAMES: dict[str, str | bytes] = {
    "end of the SQL string": "' OR 1=1 --",
    "a second statement": "alice@example.org'; DROP TABLE mail_users; --",
    "SQL with a backslash": "alice@example.org\\' OR \\'\\'=\\'",
    "a union": "' UNION SELECT 'alice@example.org', '{PLAIN}x' --",
    "dollar quotes": "$$ || pg_sleep(20) || $$",
    "short variable": "%u",
    "long variable": "%{user}",
    "variable with a filter": "%{password | sha256 | hexlify}",
    "variable of libpq": "%{env:PATH}",
    "command": "$(id)@example.org",
    "backticks": "`id`@example.org",
    "shell variable": "${HOME}",
    "template": "{{ settings }}",
    "Cyrillic a": "аlice@example.org",
    "full-width @": "alice＠example.org",
    "combining accent": "alice\u0301@example.org",
    "Kelvin sign, a k in lower case": "\u212aelvin@example.org",
    "zero width space": "alice\u200b@example.org",
    "right to left": "\u202ealice@example.org",
    "8-bit garbage": b"\xff\xfe\x80@example.org",
    "cut UTF-8": b"alice\xc3@example.org",
    "overlong UTF-8": b"alice\xc0\xa7@example.org",
    "control characters": b"alice\x01\x08\x1b[2J@example.org",
    "tab, which Dovecot's own protocol divides by": b"alice@example.org\tuser=bob@example.org",
    "line feed": b"alice@example.org\nFAIL",
    "carriage return": b"alice@example.org\r\nFAIL",
    "master user": "bob@example.org*alice@example.org",
    "very long": "a" * 5000 + "@example.org",
    "path": "../../etc/passwd",
    "many @": "alice@example.org@example.org",
    "blank": " ",
    "alias that leads to alice": "info@example.org",
}

#: Wrong passwords of alice.
PASSWORDS: dict[str, str | bytes] = {
    "SQL": "' OR '1'='1",
    "short variable": "%w",
    "long variable": "%{password}",
    "scheme": "{PLAIN}",
    "her own hash's scheme": "{ARGON2ID}" + GOOD,
    "8-bit garbage": b"\xff\xfe" * 20,
    "very long": "x" * 5000,
    "line feed behind the right one": GOOD + "\n",
    "tab behind the right one": GOOD + "\t",
    "blank behind the right one": GOOD + " ",
}
LOGINS = {name: plain(user, GOOD) for name, user in NAMES.items()} | {
    f"password: {name}": plain(ALICE, password) for name, password in PASSWORDS.items()
}


def assert_good_logins(server: Target) -> None:
    """Assert that Alice's logins by IMAP and SMTP work, and that no other user has her name."""
    with clients.imap(server, ALICE) as session:
        assert session.state == "SELECTED"
    with clients.smtp(server, 465, ALICE) as session:
        assert session.mail(ALICE)[0] == session.rcpt(BOB)[0] == 250


IMAP_ANSWER = rb"^z (OK|NO|BAD)[^\n]*\n"


def test_names_and_passwords_by_imap(server: Target) -> None:
    def tried(credentials: bytes) -> bytes:
        with talk(server, IMAP, tls=True) as connection:
            first = connection.say(b"z AUTHENTICATE PLAIN " + credentials + b"\r\n", IMAP_ANSWER)
            first = first.splitlines()[-1]  # before it, a busy server may ask for patience
            good = connection.say(b"z AUTHENTICATE PLAIN " + plain(ALICE, GOOD) + b"\r\n", IMAP_ANSWER)
            assert re.search(rb"^z OK", good, re.MULTILINE), (first, good)
            return first

    with ThreadPoolExecutor(20) as pool:
        found = dict(zip(LOGINS, pool.map(tried, LOGINS.values()), strict=True))
    refused = b"z NO [AUTHENTICATIONFAILED] Authentication failed."
    assert {name: said for name, said in found.items() if said != refused} == {}
    assert_good_logins(server)


def test_names_and_passwords_by_smtp(server: Target) -> None:
    def tried(credentials: bytes) -> bytes:
        with talk(server, SMTP, tls=True) as connection:
            connection.say(b"EHLO x\r\n", rb"^250 [^\n]*\n")
            return connection.say(b"AUTH PLAIN " + credentials + b"\r\n", rb"^\d{3} [^\n]*\n")

    with ThreadPoolExecutor(20) as pool:
        found = dict(zip(LOGINS, pool.map(tried, LOGINS.values()), strict=True))
    assert {name: said for name, said in found.items() if not said.startswith(b"535 5.7.8")} == {}
    assert_good_logins(server)


#: What is sent by IMAP instead of a login, and a pattern for the answer.
IMAP_TALK: dict[str, tuple[bytes, bytes]] = {
    "no base64": (b"z AUTHENTICATE PLAIN !!!!\r\n", rb"^z (NO|BAD) "),
    "base64 that ends too early": (b"z AUTHENTICATE PLAIN AGFsaWN\r\n", rb"^z (NO|BAD) "),
    "no NUL in it": (b"z AUTHENTICATE PLAIN YWxpY2U=\r\n", rb"^z (NO|BAD) "),
    "nothing in it": (b"z AUTHENTICATE PLAIN =\r\n", rb"^z (NO|BAD) "),
    "another identity": (
        b"z AUTHENTICATE PLAIN " + b64encode(f"{BOB}\0{ALICE}\0{GOOD}".encode()) + b"\r\n",
        rb"^z NO ",
    ),
    "given up": (b"z AUTHENTICATE PLAIN\r\n*\r\n", rb"^z (NO|BAD) "),
    "a mechanism that there is not": (b"z AUTHENTICATE ANONYMOUS =\r\n", rb"^z (NO|BAD) "),
    "NUL in a quoted string": (b'z LOGIN "alice\0@example.org" x\r\n', rb"^z BAD|^\* B|CLOSED"),
    "NUL in a literal": (b"z LOGIN {6+}\r\nalice\0 x\r\n", rb"^z (NO|BAD) |CLOSED"),
    "bare CR": (b'z LOGIN "alice@example.org\rx" y\r\n', rb"^z BAD|^\* B|CLOSED"),
    "bare LF in a quoted string": (b'z LOGIN "alice@example.org\nx" y\r\n', rb"^z BAD|^\* B|CLOSED"),
    "a line without an end": (b"z LOGIN " + b"a" * 200_000, rb"^z BAD|^\* B|CLOSED"),
    "a name that is too long": (b'z LOGIN "' + b"a" * 60_000 + b'" x\r\n', rb"^z (NO|BAD)|^\* B|CLOSED"),
    "a literal of two gigabytes": (b"z LOGIN {2147483648}\r\n", rb"^z (NO|BAD)|^\* B|CLOSED"),
    "a literal of two gigabytes that does not wait": (
        b"z LOGIN {2147483648+}\r\nx",
        rb"^z (NO|BAD)|^\* B|CLOSED",
    ),
    "a literal of less than nothing": (b"z LOGIN {-1}\r\n", rb"^z (NO|BAD)|^\* B|CLOSED"),
    "a command that needs a login": (b"z SELECT INBOX\r\n", rb"^z (NO|BAD) "),
    "no command": (b"\0\xff\xfe\r\n", rb"^\S+ BAD"),
    "SMTP": (b"EHLO x\r\n", rb"^EHLO BAD"),
}


@pytest.mark.parametrize("name", IMAP_TALK)
def test_by_imap(server: Target, name: str) -> None:
    sent, answer = IMAP_TALK[name]
    with talk(server, IMAP, tls=True) as connection:
        said = connection.say(sent, answer)
        assert re.search(answer, said, re.MULTILINE), said
        assert b" OK " not in said
    with clients.imap(server, ALICE) as session:
        assert session.state == "SELECTED"


def test_a_literal_that_never_comes(server: Target) -> None:
    """Fifty clients that wait with half a login keep no other client out."""
    waiting = [talk(server, IMAP, tls=True) for _ in range(50)]
    try:
        for opened in waiting:
            assert b"+ OK" in opened.__enter__().say(b"z LOGIN {10}\r\n", rb"^\+ [^\n]*\n")
        assert_good_logins(server)
    finally:
        for opened in waiting:
            opened.__exit__(None, None, None)
    assert_good_logins(server)


def test_commands_behind_a_login_that_fails(server: Target) -> None:
    """Each command sent along is answered, and none as after a successful login."""
    sent = b"a AUTHENTICATE PLAIN " + plain(ALICE, "wrong") + b"\r\nb SELECT INBOX\r\nz LOGOUT\r\n"
    with talk(server, IMAP, tls=True) as connection:
        said = connection.say(sent, IMAP_ANSWER)
    assert [line[:4] for line in said.splitlines() if line[:2] in (b"a ", b"z ")] == [b"a NO", b"z OK"]
    assert re.search(rb"^b (BAD|NO) ", said, re.MULTILINE)


def test_commands_behind_a_login_that_works(server: Target) -> None:
    sent = b"a AUTHENTICATE PLAIN " + plain(ALICE, GOOD) + b"\r\nb SELECT INBOX\r\nz LOGOUT\r\n"
    with talk(server, IMAP, tls=True) as connection:
        said = connection.say(sent, IMAP_ANSWER)
    assert [line[:4] for line in said.splitlines() if line[:2] in (b"a ", b"b ", b"z ")] == [
        b"a OK",
        b"b OK",
        b"z OK",
    ]


#: What is sent by SMTP instead of a login, and the codes of the answers.
SMTP_TALK: dict[str, tuple[bytes, list[int]]] = {
    "no base64": (b"AUTH PLAIN !!!!\r\n", [535]),
    "base64 that ends too early": (b"AUTH PLAIN AGFsaWN\r\n", [535]),
    "no NUL in it": (b"AUTH PLAIN YWxpY2U=\r\n", [535]),
    "nothing in it": (b"AUTH PLAIN =\r\n", [535]),
    "another identity": (b"AUTH PLAIN " + b64encode(f"{BOB}\0{ALICE}\0{GOOD}".encode()) + b"\r\n", [535]),
    "given up": (b"AUTH LOGIN\r\n*\r\n", [334, 501]),
    "no base64 for the name": (b"AUTH LOGIN\r\n!!!\r\n", [334, 535]),
    "a mechanism that there is not": (b"AUTH ANONYMOUS =\r\n", [535]),
    "a mechanism with SQL": (b"AUTH ';-- =\r\n", [535]),
    "no mechanism": (b"AUTH\r\n", [501]),
    "NUL": (b"AUTH PLAIN AGFsa\0WNl\r\n", [535]),
    "bare CR": (b"AUTH PLAIN AGFsa\rWNl\r\n", [501]),
    "a line that is too long": (
        b"AUTH PLAIN " + b"A" * 3_000 + b"\r\n",
        [535],
    ),  # 3.10 takes the rest for another
    "an answer that is too long": (b"AUTH PLAIN\r\n" + b"A" * 50_000 + b"\r\n", [334, 500]),
    "a second login": (
        b"AUTH PLAIN " + plain(ALICE, GOOD) + b"\r\nAUTH PLAIN " + plain(BOB, GOOD) + b"\r\n",
        [235, 503],
    ),
    "in a transaction": (b"MAIL FROM:<>\r\nAUTH PLAIN " + plain(ALICE, GOOD) + b"\r\n", [250, 503]),
    "commands behind a login that fails": (
        b"AUTH PLAIN " + plain(ALICE, "wrong") + b"\r\nMAIL FROM:<alice@example.org>\r\n"
        b"RCPT TO:<someone@remote.example.net>\r\nDATA\r\n",
        [535, 250, 553, 554],
    ),
}


@pytest.mark.parametrize("name", SMTP_TALK)
def test_by_smtp(server: Target, name: str) -> None:
    sent, expected = SMTP_TALK[name]
    with talk(server, SMTP, tls=True) as connection:
        connection.say(b"EHLO x\r\n", rb"^250 [^\n]*\n")
        said = connection.say(sent, rb"(^\d{3} [^\n]*\n[^$]*){%d}" % len(expected))
        codes = [int(code) for code in re.findall(rb"^(\d{3}) ", said, re.MULTILINE)]
        assert codes[: len(expected)] == expected, said
    with clients.smtp(server, 465, ALICE) as session:
        assert session.mail(ALICE)[0] == 250


STARTTLS = {
    "smtp": (587, b"EHLO x\r\n", b"STARTTLS\r\nAUTH PLAIN ", b"NOOP\r\n", rb"250 "),
    "imap": (143, b"a NOOP\r\n", b"a STARTTLS\r\nz AUTHENTICATE PLAIN ", b"b NOOP\r\n", rb"b OK "),
}


@pytest.mark.parametrize("protocol", STARTTLS)
def test_nothing_comes_through_starttls(server: Target, protocol: str) -> None:
    """Clear text after STARTTLS is not part of the session (CVE-2011-0411)."""
    port, first, injected, harmless, answer = STARTTLS[protocol]
    with socket.create_connection((server.ip, port), timeout=clients.TIMEOUT) as connection:
        connection.recv(4096)
        connection.sendall(first)
        connection.recv(4096)
        connection.sendall(injected + plain(ALICE, GOOD) + b"\r\n")
        connection.recv(4096)
        # the end of the connection is as good as a session in which it was not said
        with suppress(ConnectionError, ssl.SSLError), clients.tls().wrap_socket(connection) as secured:
            said = Talk(secured).say(harmless, rb"^[^\n]+\n")
            assert re.match(answer, said) or said == b"CLOSED\n", said
    assert_good_logins(server)


def test_the_accounts_are_as_before(server: Target) -> None:
    assert clients.sql(server, "SELECT count(*) FROM mail_users") == str(len(sample_accounts.USERS))
