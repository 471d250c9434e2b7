"""Before TLS no client logs in, and nothing that was said then counts afterwards; by each protocol."""

from __future__ import annotations

import re
import ssl
from contextlib import suppress
from typing import NamedTuple

import pytest

from tests.support.sample_accounts import ALICE, PASSWORDS
from tests.support.talk import CLOSED, IMAP, POP3, SIEVE, SMTP, Protocol, Talk, plain, secure, talk
from tests.targets.containers import Target

pytestmark = pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)

_USER, _PASSWORD = ALICE.encode(), PASSWORDS[ALICE].encode()


class Case(NamedTuple):
    """A port that begins in clear text.

    + first: how the answer begins to the question for what the server offers
    + offer: what offers a login in it
    + others: further logins
    + refusal: how they are refused
    """

    protocol: Protocol
    port: int
    first: bytes
    offer: bytes
    others: tuple[bytes, ...]
    refusal: bytes

    @property
    def logins(self) -> list[bytes]:
        """All logins, with the right password."""
        return [self.protocol.login % plain(ALICE, PASSWORDS[ALICE]), *self.others]

    def offers(self, connection: Talk) -> bytes:
        """Return what the server offers; `CLOSED` if it has hung up."""
        said = connection.say(*self.protocol.ask)
        assert said == CLOSED or said.startswith(self.first), said
        return said


_SMTP = (SMTP, 587, b"250-", rb"^250[- ]AUTH ", (b"AUTH LOGIN\r\n",), b"5")
CASES = {
    "smtp": Case(SMTP, 25, *_SMTP[2:]),
    "submission": Case(*_SMTP),
    "imap": Case(
        IMAP,
        143,
        b"* CAPABILITY ",
        rb" AUTH=",
        (b'z LOGIN "%s" "%s"\r\n' % (_USER, _PASSWORD), b"z AUTHENTICATE LOGIN\r\n"),
        b"z NO [PRIVACYREQUIRED]",
    ),
    "pop3": Case(
        POP3,
        110,
        b"+OK\r\nCAPA",
        rb"^(SASL (PLAIN|LOGIN)|USER)",
        (b"AUTH LOGIN\r\n", b"USER %s\r\n" % _USER),
        b"-ERR",
    ),
    "sieve": Case(
        SIEVE,
        4190,
        b'"IMPLEMENTATION"',
        rb'^"SASL" "[A-Z]',
        (b'AUTHENTICATE "LOGIN"\r\n',),
        b"NO (ENCRYPT-NEEDED)",
    ),
}
cases = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


def lets_in(connection: Talk, case: Case) -> bool:
    """Return whether the login of a user works."""
    said = connection.say(case.logins[0], case.protocol.answered)
    return said.splitlines()[-1].startswith(case.protocol.welcome)


@cases
def test_no_login_in_clear_text(abused: Target, case: Case) -> None:
    """The right password is refused, by each command; after STARTTLS it works, but on port 25."""
    with talk(abused, case.protocol, port=case.port) as connection:
        offered = case.offers(connection)
        assert b"STARTTLS" in offered or b"STLS" in offered
        assert not re.search(case.offer, offered, re.MULTILINE)
        assert case.protocol is not IMAP or b" LOGINDISABLED" in offered
        for login in case.logins:
            said = connection.say(login, case.protocol.answered)
            assert said.splitlines()[-1].startswith(case.refusal), said
    # on another connection: Dovecot 2.4 appends the next credentials to those that it has refused
    with talk(abused, case.protocol, port=case.port) as connection:
        case.offers(connection)
        connection.say(*case.protocol.starttls)
        secure(connection, case.protocol)
        found = re.search(case.offer, case.offers(connection), re.MULTILINE)
        assert (found is not None, lets_in(connection, case)) == (case.port != 25, case.port != 25)


@cases
def test_nothing_said_in_clear_text_counts(abused: Target, case: Case) -> None:
    """A command in one packet with STARTTLS is not answered over TLS, as if the client had sent it so.

    CVE-2011-0411. A server that hangs up is as good.
    """
    command, agreement = case.protocol.starttls
    with talk(abused, case.protocol, port=case.port) as connection:
        case.offers(connection)
        connection.say(command + case.logins[0], agreement)
        with suppress(ConnectionError, ssl.SSLError):
            secure(connection, case.protocol)
            if case.offers(connection) != CLOSED:
                assert lets_in(connection, case) == (case.port != 25)
