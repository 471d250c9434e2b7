"""Logins by every protocol, and users with hashes of several schemes to log in."""

from __future__ import annotations

import imaplib
import poplib
import shlex
import smtplib
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from nacl import pwhash

from mailstack.engines.postgresql.quoting import literal
from mailstack.passwords import CURRENT_SCHEME, verify
from tests.support import clients, managesieve, sample_accounts
from tests.support.sample_accounts import ALICE
from tests.targets.containers import Target

PASSWORD = "pä\"ss'w\\ord $(id) %u %{password} {PLAIN}"


def imap(target: Target, user: str, password: str) -> None:
    """Log in by IMAP; raises one of `REFUSED` where that is refused."""
    with clients.imap(target, user, password=password):
        pass


def pop3(target: Target, user: str, password: str) -> None:
    """Log in by POP3; raises `poplib.error_proto` where that is refused."""
    session = poplib.POP3_SSL(target.ip, 995, timeout=clients.TIMEOUT, context=clients.tls())
    try:
        session.user(user)
        session.pass_(password)
    finally:
        session.close()


def smtp(target: Target, user: str, password: str) -> None:
    """Log in by SMTP; raises `smtplib.SMTPAuthenticationError` where that is refused."""
    with clients.smtp(target, 587) as session:
        clients.login(session, user, password)


class SieveLoginError(Exception):
    """ManageSieve refused a login."""


def sieve(target: Target, user: str, password: str) -> None:
    """Log in by ManageSieve; raises `SieveLoginError` where that is refused."""
    with managesieve.connected(target) as session:
        answer = session.login(user, password)
        if answer.status != "OK":
            raise SieveLoginError(str(answer))


REFUSED = (imaplib.IMAP4.error, poplib.error_proto, SieveLoginError)
LOGIN: dict[str, Callable[[Target, str, str], None]] = {
    "imap": imap,
    "pop3": pop3,
    "sieve": sieve,
    "smtp": smtp,
}


def logged_in(service: str, target: Target, user: str, password: str) -> bool:
    """Return whether the login works, or is refused as it should be."""
    try:
        LOGIN[service](target, user, password)
    except smtplib.SMTPAuthenticationError as refused:
        assert refused.smtp_code == 535
        return False
    except REFUSED as refused:
        assert "AUTH" in str(refused).upper(), refused
        return False
    return True


def all_at_once(target: Target, attempts: Mapping[tuple[str, str, str], bool]) -> None:
    """Try all (service, user, password) in parallel, as a refusal takes 2 s; check each result."""
    with ThreadPoolExecutor(8) as pool:
        results = pool.map(lambda attempt: logged_in(attempt[0], target, *attempt[1:]), attempts)
    assert dict(zip(attempts, results, strict=True)) == attempts


@contextmanager
def users(target: Target, hashes: Mapping[str, str]) -> Iterator[None]:
    """Yield users with these hashes, gone afterwards."""
    rows = ", ".join(f"({literal(user)}, {literal(stored)})" for user, stored in hashes.items())
    clients.sql(target, f"INSERT INTO mail_users (email, password) VALUES {rows}")
    try:
        yield
    finally:
        clients.sql(target, f"DELETE FROM mail_users WHERE email IN ({', '.join(map(literal, hashes))})")


def hashed(target: Target, *schemes: str) -> list[str]:
    """Return `PASSWORD` as Dovecot itself hashes it."""
    pw = f"doveadm pw -p {shlex.quote(PASSWORD)} -s"
    return target.exec("; ".join(f"{pw} {scheme}" for scheme in schemes)).stdout.splitlines()


def make_quick(target: Target) -> None:
    """Replace the hashes of the sample accounts by others of the same scheme, after a look at the real ones.

    These take a tenth of a second of a processor, on purpose. The tests log in thousands of times.
    """
    target.exec(["doveadm", "auth", "test", ALICE, sample_accounts.PASSWORDS[ALICE]])
    least = (pwhash.argon2id.OPSLIMIT_MIN, pwhash.argon2id.MEMLIMIT_MIN)
    for user, password in sample_accounts.PASSWORDS.items():
        where = f"WHERE email = {literal(user)}"
        assert verify(clients.sql(target, f"SELECT password FROM mail_users {where}"), password), user
        quick = f"{{{CURRENT_SCHEME}}}{pwhash.argon2id.str(password.encode(), *least).decode()}"
        clients.sql(target, f"UPDATE mail_users SET password = {literal(quick)} {where}")
    clients.sql(target, "DELETE FROM mail_last_login")
