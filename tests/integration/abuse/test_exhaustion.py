"""Clients that hold connections without going on keep no others out, and daemons give back afterwards."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress

import pytest

from tests.support import clients
from tests.support.daemons import assert_served
from tests.support.talk import IMAP, plain, talk
from tests.support.temporary_users import PASSWORD, guests
from tests.targets.containers import Target

pytestmark = pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)

#: From each of two addresses: Postfix takes fifty of an address. Both have a hundred processes for each port.
MANY = 50
#: Half of what a client says first, by port: half a command, or half of a ClientHello.
HELLO = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"
HALVES = {
    "postfix": {25: b"EHL", 465: HELLO, 587: b"EHL"},
    "dovecot": {110: b"CAP", 143: b"a CAP", 993: HELLO, 995: HELLO, 4190: b"CAPA"},
}


@contextmanager
def half_open(halves: dict[int, bytes], addresses: tuple[str, ...]) -> Iterator[None]:
    """Hold connections to these ports, each with half of something said; the server may close some."""
    with ExitStack() as stack:
        for port, half in halves.items():
            for address in addresses * MANY:
                connection = stack.enter_context(socket.create_connection((address, port), clients.TIMEOUT))
                connection.settimeout(5)
                with suppress(OSError):
                    if half is not HELLO:
                        connection.recv(4096)  # until then, the server may have no process for it
                    connection.sendall(half)
        yield


@pytest.mark.parametrize("daemon", HALVES)
def test_half_open_connections(unharmed: Target, peer: Target, daemon: str) -> None:
    with half_open(HALVES[daemon], (unharmed.ip, unharmed.ip6)):
        assert_served(unharmed, peer)


def test_a_thousand_idle_connections(unharmed: Target, peer: Target) -> None:
    """They say nothing. Postfix closes all but fifty of an address, and Dovecot has a process for each."""
    addresses = (unharmed.ip, unharmed.ip6)
    with ExitStack() as stack:
        for port in (25, 587, 143, 993):
            for address in addresses * 125:
                stack.enter_context(socket.create_connection((address, port), 180))
        assert_served(unharmed, peer)


def test_a_client_that_never_reads(unharmed: Target, peer: Target) -> None:
    """It asks for more than buffers take. Others are served, the same user too, and its processes end."""
    fetch = b"z SELECT INBOX\r\n" + b"z FETCH 1 BODY[]\r\n" * 100
    with guests(unharmed, "deaf") as (user,), ExitStack() as stack:
        with clients.imap(unharmed, user, password=PASSWORD) as session:
            session.append("INBOX", "", "", b"Subject: large\r\n\r\n" + b"x" * 70 * 50_000)
        for _ in range(10):
            connection = stack.enter_context(talk(unharmed, IMAP, tls=True))
            connection.say(IMAP.login % plain(user, PASSWORD), IMAP.answered)
            connection.socket.sendall(fetch)
        assert_served(unharmed, peer)
        with clients.imap(unharmed, user, password=PASSWORD) as session:
            assert session.fetch("1", "(RFC822.SIZE)")[0] == "OK"
        stack.close()
        who = ["doveadm", "who", user]
        clients.eventually(lambda: user not in unharmed.exec(who).stdout, "its processes do not end", 120)
