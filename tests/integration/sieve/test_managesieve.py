"""Users manage their Sieve scripts on port 4190, only over TLS, within limits; strangers do no harm."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.support import clients, sample_accounts
from tests.support.managesieve import Session, connected, logged_in, quoted
from tests.support.temporary_users import PASSWORD, guests
from tests.targets.containers import Target

KEEP = "keep;\r\n"


@pytest.fixture(scope="module")
def user(server: Target) -> Iterator[str]:
    """Yield a user with a script, who has never had mail."""
    with guests(server, "manager") as (email,):
        yield email


@pytest.fixture
def session(server: Target, user: str) -> Iterator[Session]:
    """Yield a connection of that user."""
    with logged_in(server, user, PASSWORD) as session:
        yield session


def login_works(server: Target, user: str) -> bool:
    with logged_in(server, user, PASSWORD) as session:
        return session.command("LISTSCRIPTS").status == "OK"


def test_no_login_before_tls(server: Target, user: str) -> None:
    with connected(server, tls=False) as session:
        assert '"STARTTLS"' in session.capabilities
        assert '"SASL" ""' in session.capabilities
        assert session.login(user, PASSWORD).status == "NO"
        session.starttls()
        assert '"SASL" "PLAIN LOGIN"' in session.capabilities
        assert session.login(user, "wrong").status == "NO"
        assert session.login(user, PASSWORD).status == "OK"


def test_the_certificate_is_the_servers(server: Target) -> None:
    trust = clients.tls(server.read("/etc/ssl/mailstack/cert.pem").decode())
    with connected(server, tls=False) as session:
        assert session.command("STARTTLS").status == "OK"
        with trust.wrap_socket(session.socket, server_hostname=sample_accounts.HOSTNAME) as secured:
            assert secured.version() in ("TLSv1.2", "TLSv1.3")


def test_the_same_users_may_log_in_as_by_imap(server: Target) -> None:
    for email, welcome in (
        (sample_accounts.ALICE, "OK"),
        (sample_accounts.DAVE, "NO"),
        (sample_accounts.ERIN, "NO"),
    ):
        with connected(server) as session:
            assert session.login(email, sample_accounts.PASSWORDS[email]).status == welcome


def test_the_life_of_a_script(session: Session) -> None:
    script = 'require "fileinto";\r\nfileinto "Größe";\r\n'
    assert session.put("ein Skript", script).status == "OK"
    assert session.put("zweites", KEEP).status == "OK"
    assert session.activate("ein Skript").status == "OK"
    assert set(session.command("LISTSCRIPTS").lines) == {'"ein Skript" ACTIVE', '"zweites"'}
    assert session.command('GETSCRIPT "ein Skript"').lines == (script,)
    assert session.command('RENAMESCRIPT "zweites" "drittes"').status == "OK"
    assert session.command('DELETESCRIPT "ein Skript"').code == "ACTIVE"
    assert session.activate("").status == "OK"
    for name in ("ein Skript", "drittes"):
        assert session.command(f"DELETESCRIPT {quoted(name)}").status == "OK"
    assert session.command("LISTSCRIPTS").lines == ()
    assert session.command("LOGOUT").status == "OK"


def test_a_script_that_is_wrong_is_refused_with_its_line(session: Session) -> None:
    session.put("right", KEEP)
    for wrong in ("keep;\r\nfrobnicate;\r\n", "keep;\r\nkeep keep;\r\n", 'keep;\r\nfileinto "x";\r\n'):
        for said in (session.put("right", wrong), session.check(wrong)):
            assert (said.status, "line 2" in said.text) == ("NO", True), said
    assert session.check(KEEP).status == "OK"
    assert session.command('GETSCRIPT "right"').lines == (KEEP,)
    session.command('DELETESCRIPT "right"')


def test_extensions_that_a_script_may_use(session: Session) -> None:
    """The default extensions and editheader, but none that runs programs or reads the configuration."""
    offered = next(line for line in session.capabilities if line.startswith('"SIEVE"')).split('"')[3].split()
    usual = "body copy date editheader envelope fileinto imap4flags include mailbox regex reject relational"
    assert set(usual.split()) | {"subaddress", "vacation", "variables"} <= set(offered)
    for forbidden in ("vnd.dovecot.environment", "vnd.dovecot.pipe", "vnd.dovecot.execute", "imapsieve"):
        assert forbidden not in offered
        assert session.check(f'require "{forbidden}";').status == "NO"


def test_scripts_have_limits(session: Session) -> None:
    large = f"# {'x' * 2**20}\r\n"
    assert session.put("large", large).code == "QUOTA/MAXSIZE"
    assert session.command(f'HAVESPACE "large" {len(large)}').code == "QUOTA/MAXSIZE"
    assert session.put("nearly", f"# {'x' * (2**20 - 10)}\r\n").status == "OK"
    numbers = [f"number {number}" for number in range(49)]
    assert {session.put(name, KEEP).status for name in numbers} == {"OK"}
    assert session.put("one more", KEEP).code == "QUOTA/MAXSCRIPTS"
    assert session.put("nearly", KEEP).status == "OK"
    for name in ("nearly", *numbers):
        session.command(f"DELETESCRIPT {quoted(name)}")


def test_all_scripts_together_have_a_limit(session: Session) -> None:
    mebibyte = f"# {'x' * (2**20 - 10)}\r\n"
    answers = [session.put(f"number {number}", mebibyte) for number in range(11)]
    assert [answer.status for answer in answers] == ["OK"] * 10 + ["NO"]
    assert answers[-1].code == "QUOTA/MAXSTORAGE"
    for number in range(10):
        session.command(f'DELETESCRIPT "number {number}"')


HOSTILE_BEFORE_LOGIN = {
    "no base64": b'AUTHENTICATE "PLAIN" "!!! no base64 !!!"\r\n',
    "half of base64": b'AUTHENTICATE "PLAIN" "AGFsaWNl="\r\n',
    "credentials of one part": b'AUTHENTICATE "PLAIN" "YWxpY2U="\r\n',
    "credentials of nothing": b'AUTHENTICATE "PLAIN" ""\r\n',
    "a mechanism that there is not": b'AUTHENTICATE "X-NONE" "YWxpY2U="\r\n',
    "a command that there is not": b"FROBNICATE x y z\r\n",
    "a command for users": b"LISTSCRIPTS\r\n",
    "NUL": b"CAPABILITY \0\r\n",
    "NUL in a string": b'AUTHENTICATE "PLA\0IN"\r\n',
    "no UTF-8": b'AUTHENTICATE "\xff\xfe" "\xc3("\r\n',
    "a line without end": b"A" * 200_000 + b"\r\n",
    "an empty line": b"\r\n",
    "a quote that does not end": b'AUTHENTICATE "PLAIN\r\n',
    "a literal of 4 GiB": b'AUTHENTICATE "PLAIN" {4294967296+}\r\n',
    "a literal of less than nothing": b'AUTHENTICATE "PLAIN" {-1+}\r\n',
    "a literal of no number": b'AUTHENTICATE "PLAIN" {x+}\r\n',
    "STARTTLS within TLS": b"STARTTLS\r\n",
    "SMTP": b"EHLO remote.example.net\r\n",
}


@pytest.mark.parametrize("octets", HOSTILE_BEFORE_LOGIN.values(), ids=HOSTILE_BEFORE_LOGIN)
def test_hostile_bytes_of_a_stranger(server: Target, user: str, octets: bytes) -> None:
    with connected(server) as session:
        assert refused(session, octets) in ("NO", "BYE")
    assert login_works(server, user)


LOGINS = [
    "' OR '1'='1",
    "x'; DROP TABLE mail_users; --@example.org",
    "manager@example.org' -- ",
    'manager"@example.org',
    "%u@example.org",
    "%{user}",
    "$(id)@example.org",
    "manager@example.org\\",
    "../manager@example.org",
    "m\u0430nager@example.org",
    "*@example.org",
    "manager@example.org" + "x" * 5000,
]


def test_no_login_with_such_a_name(server: Target, user: str) -> None:
    def status(name: str) -> str:
        with connected(server) as session:
            return session.login(name, PASSWORD).status

    with ThreadPoolExecutor(len(LOGINS)) as pool:  # each failure is answered after two seconds
        assert set(pool.map(status, LOGINS)) <= {"NO", "BYE"}
    assert login_works(server, user)


NAMES = [
    "",
    "../x",
    "a/b",
    "/etc/passwd",
    "x\x01",
    "x\x7f",
    "x\u2028y",
    "x" * 3000,
]


def test_a_script_has_no_such_name(server: Target, user: str, session: Session) -> None:
    for name in NAMES:
        for command in (f"PUTSCRIPT {quoted(name)} {{7+}}\r\n{KEEP}", f"GETSCRIPT {quoted(name)}"):
            assert session.command(command).status == "NO", command
        assert session.command(f'RENAMESCRIPT "a" {quoted(name)}').status == "NO", name
    assert session.command('GETSCRIPT "../../../../../etc/passwd"').status == "NO"
    assert session.command("LISTSCRIPTS").lines == ()
    home = clients.home(server, user)
    found = server.exec(f"find {home} -newer /etc/hostname -name '*.sieve'").stdout
    assert found == ""


HOSTILE_USERS = {
    "a script with NUL": b'PUTSCRIPT "x" {8+}\r\nkeep;\0\r\n\r\n',
    "a script that is no UTF-8": b'PUTSCRIPT "x" {12+}\r\nkeep "\xff\xfe"\r\n\r\n',
    "a name that is no UTF-8": b'PUTSCRIPT "\xff\xfe" {7+}\r\nkeep;\r\n\r\n',
    "a script of 4 GiB": b'PUTSCRIPT "x" {4294967296+}\r\n',
    "a script of less than nothing": b'PUTSCRIPT "x" {-1+}\r\n',
    "a script of no size": b'PUTSCRIPT "x" {18446744073709551616+}\r\n',
    "a line without end": b'GETSCRIPT "' + b"x" * 200_000 + b'"\r\n',
    "no arguments": b"PUTSCRIPT\r\n",
    "too many arguments": b'DELETESCRIPT "a" "b" "c"\r\n',
    "another login": b'AUTHENTICATE "PLAIN" "AGEAYg=="\r\n',
    "parentheses": b'PUTSCRIPT (("x")) {7+}\r\nkeep;\r\n\r\n',
    "a command of IMAP": b"a1 SELECT INBOX\r\n",
}


@pytest.mark.parametrize("octets", HOSTILE_USERS.values(), ids=HOSTILE_USERS)
def test_hostile_bytes_of_a_user(server: Target, user: str, octets: bytes) -> None:
    with logged_in(server, user, PASSWORD) as session:
        session.put("precious", KEEP)
        assert refused(session, octets) in ("NO", "BYE")
    with logged_in(server, user, PASSWORD) as session:
        assert session.command("LISTSCRIPTS").lines == ('"precious"',)
        assert session.command('GETSCRIPT "precious"').lines == (KEEP,)
        session.command('DELETESCRIPT "precious"')


def test_a_literal_that_never_comes(server: Target, user: str) -> None:
    with logged_in(server, user, PASSWORD) as waiting:
        waiting.socket.sendall(b'PUTSCRIPT "never" {1000+}\r\nkeep;')
        assert login_works(server, user)
    with logged_in(server, user, PASSWORD) as session:
        assert session.command("LISTSCRIPTS").lines == ()


def refused(session: Session, octets: bytes) -> str:
    """Return the server's answer; a connection that it just closes counts as BYE."""
    try:
        return session.send(octets).status
    except (EOFError, ConnectionError, ssl.SSLError):
        return "BYE"
