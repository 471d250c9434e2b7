"""A ManageSieve client (RFC 5804) as the tests need it: it sends any bytes, and parses the answers."""

from __future__ import annotations

import re
import socket
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.support import clients, sample_accounts
from tests.targets.containers import Target

PORT = 4190


@dataclass(frozen=True)
class Answer:
    """A server's answer: `OK`, `NO` or `BYE`, its response code and text, and the lines before that."""

    status: str
    text: str
    lines: tuple[str, ...]

    @property
    def code(self) -> str:
        """The response code (RFC 5804, 1.3), such as `QUOTA/MAXSIZE`."""
        found = re.match(r"\(([^ )]+)", self.text)
        return found[1] if found else ""


class Session:
    """A connection; the greeting is read already."""

    def __init__(self, target: Target) -> None:
        self.socket: socket.socket = socket.create_connection((target.ip, PORT), timeout=clients.TIMEOUT)
        self._read = self.socket.makefile("rb")
        self.capabilities = self.answer().lines

    def starttls(self) -> None:
        """Continue with TLS; the server lists its capabilities again."""
        assert self.command("STARTTLS").status == "OK"
        self.socket = clients.tls().wrap_socket(self.socket)
        self._read = self.socket.makefile("rb")
        self.capabilities = self.answer().lines

    def login(self, user: str, password: str) -> Answer:
        """Log in by AUTHENTICATE with PLAIN (RFC 4616)."""
        return self.authenticate(f"\0{user}\0{password}".encode())

    def authenticate(self, credentials: bytes) -> Answer:
        """Send AUTHENTICATE with PLAIN and any credentials."""
        return self.command(f'AUTHENTICATE "PLAIN" "{b64encode(credentials).decode()}"')

    def put(self, name: str, script: str | bytes) -> Answer:
        """Store a script under a name."""
        return self._with_literal(f"PUTSCRIPT {quoted(name)}", script)

    def check(self, script: str | bytes) -> Answer:
        """Ask whether a script is right."""
        return self._with_literal("CHECKSCRIPT", script)

    def _with_literal(self, command: str, text: str | bytes) -> Answer:
        octets = text.encode() if isinstance(text, str) else text
        return self.send(f"{command} {{{len(octets)}+}}\r\n".encode() + octets + b"\r\n")

    def activate(self, name: str) -> Answer:
        """Make one's active script the one of this name; none for an empty name."""
        return self.command(f"SETACTIVE {quoted(name)}")

    def command(self, line: str) -> Answer:
        """Send one line."""
        return self.send(f"{line}\r\n".encode())

    def send(self, octets: bytes) -> Answer:
        """Send any octets."""
        self.socket.sendall(octets)
        return self.answer()

    def answer(self) -> Answer:
        """Read up to the line that ends an answer. Raises `EOFError` if the server hung up."""
        lines: list[str] = []
        while True:
            line = self._line()
            found = re.match(r"(OK|NO|BYE)\b ?(.*)", line, re.DOTALL)
            if found:
                return Answer(found[1], found[2], tuple(lines))
            lines.append(line)

    def _line(self) -> str:
        """Return a line, with the literals that it has (RFC 5804, 4) in place."""
        line = self._read.readline()
        if not line.endswith(b"\r\n"):
            raise EOFError(f"the server hung up after {line!r}")
        if literal := re.search(rb"\{(\d+)\}\r\n$", line):
            return (line[: literal.start()] + self._read.read(int(literal[1]))).decode() + self._line()
        return line[:-2].decode()


def quoted(text: str) -> str:
    """Return a quoted string."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


@contextmanager
def connected(target: Target, *, tls: bool = True) -> Iterator[Session]:
    """Yield a connection, by default with TLS, without a login."""
    session = Session(target)
    try:
        if tls:
            session.starttls()
        yield session
    finally:
        session.socket.close()


@contextmanager
def logged_in(
    target: Target, user: str, password: str = sample_accounts.PASSWORDS[sample_accounts.ALICE]
) -> Iterator[Session]:
    """Yield a connection of `user`."""
    with connected(target) as session:
        assert session.login(user, password).status == "OK"
        yield session


def install(target: Target, user: str, script: str, name: str = "main") -> None:
    """Make a script the active one of `user`."""
    with logged_in(target, user) as session:
        for answer in (session.put(name, script), session.activate(name)):
            assert answer.status == "OK", answer
