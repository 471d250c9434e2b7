"""Logins: hashes of several schemes, app passwords, last logins, and the answer to a failed one."""

from __future__ import annotations

import imaplib
import shlex
import smtplib
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest

from mailstack.passwords import app_digest, generate_app_password
from mailstack.settings.password_hashes import PASSWORD_SCHEMES
from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.logins import LOGIN, PASSWORD, REFUSED, all_at_once, hashed, logged_in, users
from tests.support.sample_accounts import ALICE, BOB, CAROL, DAVE, ERIN
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines_everywhere


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server, with POP3, and ten connections for a user."""
    target = module_clone("logins")
    deploys.run(target, sample_accounts.data(mail_pop3=True, mail_max_userip_connections=10))
    return target


def test_hashes_of_many_schemes_side_by_side(host: Target) -> None:
    schemes = (*PASSWORD_SCHEMES, "SSHA512.HEX", "SSHA512.B64")
    made = dict(zip(schemes, hashed(host, *schemes), strict=True))
    made["BARE"] = made["SHA512-CRYPT"].partition("}")[2]
    for scheme in ("SHA512-CRYPT", "BLF-CRYPT", "MD5-CRYPT"):
        made[f"CRYPT-{scheme}"] = made[scheme].replace(scheme, "CRYPT")
    made["BARE-MD5"] = made["MD5-CRYPT"].partition("}")[2]
    made["CRYPT"] = "{CRYPT}" + yescrypt(host)
    made["SHA512-CRYPT"] = made["SHA512-CRYPT"].replace("SHA512-CRYPT", "sha512-crypt")
    stored = {f"{scheme.lower()}@example.org": text for scheme, text in made.items()}
    with users(host, stored):
        good = {(service, user, PASSWORD): True for service in LOGIN for user in stored}
        bad = {("imap", user, PASSWORD + "x"): False for user in stored}
        bad |= {("smtp", user, text): False for user, text in stored.items()}
        all_at_once(host, good | bad)


def yescrypt(host: Target) -> str:
    """Return `PASSWORD` as Debian hashes those of system users."""
    script = "my $word = <STDIN>; chomp $word; print crypt($word, q($y$j9T$abcdefghijklmnop))"
    return host.exec(["perl", "-e", script], input=PASSWORD + "\n").stdout


def test_app_passwords_open_only_their_service(host: Target) -> None:
    """They open nothing else: no other user, no disabled user, and nothing after they are revoked."""
    secret = {service: generate_app_password() for service in ("all", "imap", "smtp")}
    rows = [(BOB, f"for-{service}", app_digest(text), service) for service, text in secret.items()]
    rows.append((DAVE, "for-all", app_digest(secret["all"]), "all"))
    clients.sql(
        host,
        f"INSERT INTO mail_app_password (email, name, digest, service) VALUES {', '.join(map(str, rows))}",
    )
    reading, sending = ("imap", "pop3"), ("smtp",)
    expected = {
        (service, BOB, text): name == "all" or service in {"imap": reading, "smtp": sending}[name]
        for service in LOGIN
        for name, text in secret.items()
    }
    expected |= {
        ("imap", "BOB@Example.org", secret["all"]): True,
        ("imap", BOB, sample_accounts.PASSWORDS[BOB]): True,
        ("smtp", BOB, sample_accounts.PASSWORDS[BOB]): True,
        ("imap", BOB, secret["all"].upper()): False,
        ("imap", BOB, app_digest(secret["all"])): False,
        ("imap", ALICE, secret["all"]): False,
        ("imap", DAVE, secret["all"]): False,
        ("smtp", DAVE, secret["all"]): False,
        ("imap", "unknown@example.org", secret["all"]): False,
    }
    all_at_once(host, expected)
    used = "SELECT email, name FROM mail_app_password WHERE used_at IS NOT NULL ORDER BY name"
    names = [f"{BOB}|for-all", f"{BOB}|for-imap", f"{BOB}|for-smtp"]
    assert clients.sql(host, used).splitlines() == names

    with clients.smtp(host, 587) as session:
        clients.login(session, BOB, secret["smtp"])
        session.mail(BOB)
        assert session.rcpt(ALICE)[0] == 250, "the login counts for its owner"
        session.rset()
        session.mail(ALICE)
        assert session.rcpt(BOB)[0] == 553

    clients.sql(host, f"DELETE FROM mail_app_password WHERE email = '{BOB}' AND name <> 'for-imap'")
    all_at_once(
        host,
        {("imap", BOB, secret["all"]): False, ("imap", BOB, secret["imap"]): True},
    )
    clients.sql(host, "DELETE FROM mail_app_password")


def last_login(target: Target, user: str) -> dict[str, str]:
    """Return the time of the last login to each service."""
    rows = clients.sql(target, f"SELECT service, at FROM mail_last_login WHERE email = '{user}'")
    return dict(row.split("|") for row in rows.splitlines())


def test_the_last_login_is_recorded_once_an_hour(host: Target) -> None:
    clients.sql(host, "DELETE FROM mail_last_login")
    password = sample_accounts.PASSWORDS[CAROL]
    for service in LOGIN:
        assert logged_in(service, host, CAROL, password)
    first = last_login(host, CAROL)
    assert first.keys() == LOGIN.keys()
    assert not logged_in("imap", host, CAROL, password + "x")
    for service in LOGIN:
        assert logged_in(service, host, CAROL, password)
    assert last_login(host, CAROL) == first

    minutes = "INTERVAL {} MINUTE" if sample_accounts.ENGINE == "mysql" else "interval '{} minutes'"
    earlier = f"at - {minutes.format(61)}"
    clients.sql(host, f"UPDATE mail_last_login SET at = {earlier} WHERE service = 'imap'")
    assert not logged_in("imap", host, CAROL, password + "x")
    old = f"SELECT count(*) FROM mail_last_login WHERE at < now() - {minutes.format(5)}"
    assert clients.sql(host, old) == "1"
    assert logged_in("imap", host, CAROL, password)
    assert clients.sql(host, old) == "0"
    assert clients.sql(host, f"SELECT count(*) FROM mail_last_login WHERE email <> '{CAROL}'") == "0"


@contextmanager
def holding(target: Target, lock: str) -> Iterator[None]:
    """Hold a lock in another session."""
    if sample_accounts.ENGINE == "mysql":
        target.exec(f"mariadb mail -e {shlex.quote(f'{lock}; SELECT SLEEP(30)')} >/dev/null 2>&1 &")
        holds = "FROM information_schema.processlist WHERE state = 'User sleep'"
        clients.eventually(lambda: clients.sql(target, f"SELECT 1 {holds}"), "no lock")
        try:
            yield
        finally:
            clients.sql(target, f"KILL {clients.sql(target, f'SELECT id {holds}')}")
        return
    psql = "runuser -u postgres -- psql -Xq mail"
    held = f"BEGIN; {lock}; SELECT pg_sleep(30); -- held"
    target.exec(f"cd /; {psql} -c {shlex.quote(held)} >/dev/null 2>&1 &")
    holds = "FROM pg_stat_activity WHERE query LIKE '%-- held' AND pid <> pg_backend_pid()"
    clients.eventually(lambda: clients.sql(target, f"SELECT 1 {holds} AND wait_event = 'PgSleep'"), "no lock")
    try:
        yield
    finally:
        clients.sql(target, f"SELECT pg_terminate_backend(pid) {holds}")


def test_a_login_that_cannot_be_recorded_is_a_login(host: Target) -> None:
    def seconds() -> float:
        clients.sql(host, "DELETE FROM mail_last_login")
        start = time.monotonic()
        assert logged_in("imap", host, ALICE, sample_accounts.PASSWORDS[ALICE])
        assert logged_in("smtp", host, ALICE, sample_accounts.PASSWORDS[ALICE])
        return time.monotonic() - start

    assert seconds() < 8
    never = "ALTER TABLE mail_last_login ADD CONSTRAINT never CHECK (service = '')"
    clients.sql(host, f"DELETE FROM mail_last_login; {never}")
    try:
        assert seconds() < 8
        assert clients.sql(host, "SELECT count(*) FROM mail_last_login") == "0"
    finally:
        clients.sql(host, "ALTER TABLE mail_last_login DROP CONSTRAINT never")
    locks = {
        "postgresql": "LOCK TABLE mail_last_login IN EXCLUSIVE MODE",
        "mysql": "LOCK TABLES mail_last_login WRITE",
    }
    with holding(host, locks[sample_accounts.ENGINE]):
        start = time.monotonic()
        assert logged_in("imap", host, ALICE, sample_accounts.PASSWORDS[ALICE])
        assert time.monotonic() - start < 5
    assert clients.sql(host, "SELECT count(*) FROM mail_last_login") == "0"
    assert logged_in("imap", host, ALICE, sample_accounts.PASSWORDS[ALICE])
    assert clients.sql(host, "SELECT count(*) FROM mail_last_login") == "1"


def answer(service: str, target: Target, user: str, password: str) -> tuple[object, float]:
    """Return the answer to a client, and the seconds until it came."""
    start = time.monotonic()
    try:
        LOGIN[service](target, user, password)
    except smtplib.SMTPAuthenticationError as refused:
        return (refused.smtp_code, refused.smtp_error), time.monotonic() - start
    except REFUSED as refused:
        return refused.args, time.monotonic() - start
    raise AssertionError(f"{user} is in")


# Dovecot makes the pause, whatever the engine
@pytest.mark.postgresql
@pytest.mark.parametrize("service", LOGIN)
def test_a_failed_login_tells_nothing(host: Target, service: str) -> None:
    """Neither text nor time of the answer shows whether the user exists: the pause hides the rest."""
    names = {
        "wrong password": ALICE,
        "the same with another hash": BOB,
        "suspended": DAVE,
        "domain disabled": ERIN,
        "alias": "info@example.org",
        "unknown": "nobody.at.all@example.org",
        "unknown domain": "alice@unknown.example",
        "no domain": "alice",
    }
    with ThreadPoolExecutor(len(names)) as pool:
        rounds = [
            list(pool.map(lambda user: answer(service, host, user, "wrong"), names.values())) for _ in "12"
        ]
    assert len({said for answers in rounds for said, _ in answers}) == 1, rounds
    quickest = [min(seconds for _, seconds in both) for both in zip(*rounds, strict=True)]
    assert min(quickest) > 1, "each is delayed"
    assert max(quickest) - min(quickest) < 2


def session_of(target: Target, user: str) -> imaplib.IMAP4:
    """Return an IMAP session, logged in; `imaplib.IMAP4.error` where that is refused."""
    session = imaplib.IMAP4_SSL(target.ip, 993, ssl_context=clients.tls(), timeout=clients.TIMEOUT)
    session.authenticate("PLAIN", lambda _: f"\0{user}\0{sample_accounts.PASSWORDS[user]}".encode())
    return session


@pytest.mark.postgresql
def test_one_user_has_only_so_many_connections(host: Target) -> None:
    with ThreadPoolExecutor(10) as pool:
        sessions = list(pool.map(lambda _: session_of(host, BOB), range(10)))
    try:
        with pytest.raises(imaplib.IMAP4.error, match="LIMIT"):
            session_of(host, BOB)
        session_of(host, ALICE).logout()
        sessions.pop().logout()
        clients.eventually(lambda: comes_in(host, BOB), "no session more")
    finally:
        for session in sessions:
            session.logout()


def comes_in(target: Target, user: str) -> bool:
    """Return whether an IMAP session begins; it ends at once."""
    try:
        session_of(target, user).logout()
    except imaplib.IMAP4.error:
        return False
    return True
