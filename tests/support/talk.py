"""Bare connections, for what no client library would say, by each protocol."""

from __future__ import annotations

import re
import socket
import ssl
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import NamedTuple

from tests.support import clients
from tests.targets.containers import Target

#: What the answer of a server that hangs up ends with.
CLOSED = b"CLOSED\n"


@dataclass
class Talk:
    """A connection, with or without TLS."""

    socket: socket.socket

    def say(self, sent: bytes, until: bytes) -> bytes:
        """Send bytes; return the answer until a line matches, or until the connection ends."""
        with suppress(ConnectionError, ssl.SSLError):  # it may have ended before all is said
            self.socket.sendall(sent)
        answer = b""
        while not re.search(until, answer, re.MULTILINE):
            received = b""
            with suppress(ConnectionError, ssl.SSLError):
                received = self.socket.recv(65536)
            if not received:
                return answer + CLOSED
            answer += received
        return answer


class Protocol(NamedTuple):
    """What a client says; patterns are those of the line that ends an answer.

    + tls: the port with TLS from the first byte on, if there is one
    + ask: the question for what the server offers, and the end of its answer
    + starttls: the command, and the line by which the server agrees
    + login: AUTH PLAIN (RFC 4616), but for the credentials
    + answered: the end of the answer to a login, or the question for more
    + welcome: how the line begins that lets the client in
    """

    name: str
    clear: int
    tls: int | None
    greeting: bytes
    ask: tuple[bytes, bytes]
    starttls: tuple[bytes, bytes]
    login: bytes
    answered: bytes
    welcome: bytes


SMTP = Protocol(
    "smtp",
    587,
    465,
    rb"^220 .*\n",
    (b"EHLO client.example\r\n", rb"^\d{3} .*\n"),
    (b"STARTTLS\r\n", rb"^220 .*\n"),
    b"AUTH PLAIN %s\r\n",
    rb"^\d{3} .*\n",
    b"235 ",
)
IMAP = Protocol(
    "imap",
    143,
    993,
    rb"^\* OK.*\n",
    (b"a CAPABILITY\r\n", rb"^a .*\n"),
    (b"b STARTTLS\r\n", rb"^b OK.*\n"),
    b"z AUTHENTICATE PLAIN %s\r\n",
    rb"^[z+] .*\n",
    b"z OK",
)
POP3 = Protocol(
    "pop3",
    110,
    995,
    rb"^\+OK.*\n",
    (b"CAPA\r\n", rb"^\.\r\n"),
    (b"STLS\r\n", rb"^\+OK.*\n"),
    b"AUTH PLAIN %s\r\n",
    rb"^(\+|-ERR).*\n",
    b"+OK",
)
SIEVE = Protocol(
    "sieve",
    4190,
    None,
    rb"^OK.*\n",
    (b"CAPABILITY\r\n", rb"^OK.*\n"),
    (b"STARTTLS\r\n", rb"^OK.*\n"),
    b'AUTHENTICATE "PLAIN" "%s"\r\n',
    rb"^(OK|NO|BYE|\{).*\n",
    b"OK",
)
PROTOCOLS = {protocol.name: protocol for protocol in (SMTP, IMAP, POP3, SIEVE)}


def plain(user: str | bytes, password: str | bytes) -> bytes:
    """Return the argument of AUTH PLAIN (RFC 4616)."""
    user, password = (part.encode() if isinstance(part, str) else part for part in (user, password))
    return b64encode(b"\0" + user + b"\0" + password)


def secure(connection: Talk, protocol: Protocol) -> None:
    """Continue over TLS, after the server has agreed to it; ManageSieve then says again what it offers."""
    connection.socket = clients.tls().wrap_socket(connection.socket)
    if protocol is SIEVE:
        connection.say(b"", protocol.greeting)


@contextmanager
def talk(target: Target, protocol: Protocol, *, tls: bool = False, port: int | None = None) -> Iterator[Talk]:
    """Yield a connection after the greeting; by IPv6, as Postfix counts the logins of other tests by IPv4.

    + tls: with TLS from the first byte on, or by STARTTLS where no port has that
    + port: another port with the same protocol in clear text
    """
    at_once = protocol.tls if tls else None
    address = (target.ip6, at_once or port or protocol.clear)
    made = Talk(socket.create_connection(address, timeout=3 * clients.TIMEOUT))
    try:
        if at_once:
            made.socket = clients.tls().wrap_socket(made.socket)
        made.say(b"", protocol.greeting)
        if tls and not at_once:
            made.say(*protocol.starttls)
            secure(made, protocol)
        yield made
    finally:
        made.socket.close()
