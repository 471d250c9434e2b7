"""Sessions of protocols with lines: SMTP, IMAP, POP3 and ManageSieve, as far as checks need them."""

from __future__ import annotations

import socket
import ssl
import time
from types import TracebackType
from typing import NamedTuple, Self

from .results import Problem

TIMEOUT = 20.0
_MOST = 65536
"""Bytes of an answer: a server may send lines without end."""


class Protocol(NamedTuple):
    """How a protocol switches to TLS.

    + first: what a client says before that, if anything
    """

    first: str
    starttls: str


class Ended(Problem):
    """An answer that never came, as the server has closed the connection."""


PROTOCOLS = {
    "smtp": Protocol("EHLO mailstack-verify.invalid", "STARTTLS"),
    "imap": Protocol("", "v1 STARTTLS"),
    "pop3": Protocol("", "STLS"),
    "sieve": Protocol("", "STARTTLS"),
}


def any_certificate() -> ssl.SSLContext:
    """Return a context for sessions whose certificate is checked elsewhere."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Session:
    """A connection. What it reads are answers, each with all of its lines.

    + how: a name in ``PROTOCOLS``
    + source: the address from which it connects, by default the one that the system takes
    + timeout: the seconds for an answer as a whole
    """

    def __init__(
        self, how: str, address: str, port: int, source: str | None = None, timeout: float = TIMEOUT
    ) -> None:
        self.how, self.timeout = how, timeout
        origin = (source, 0) if source else None
        self.socket = socket.create_connection((address, port), timeout, origin)
        self._read = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self.socket.close()

    def secure(self, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
        """Switch to TLS; the name is the one that the certificate should have."""
        secured = context.wrap_socket(self.socket, server_hostname=name)
        self.socket = secured
        self._read = b""
        return secured

    def starttls(self, context: ssl.SSLContext, name: str) -> ssl.SSLSocket:
        """Read the greeting, and switch to TLS. Raises ``Problem`` if it is not offered."""
        protocol = PROTOCOLS[self.how]
        self.answer()
        if protocol.first:
            self.ask(protocol.first)
        said = self.ask(protocol.starttls)
        if not self.is_good(said):
            raise Problem(f"STARTTLS is refused: {said[-1]}")
        return self.secure(context, name)

    def is_good(self, answer: list[str]) -> bool:
        """Return whether an answer is a yes."""
        last = answer[-1]
        if self.how == "smtp":
            return last[:1] in ("2", "3")
        return last.removeprefix("v1 ").removeprefix("* ").removeprefix("+").startswith("OK")

    def ask(self, line: str) -> list[str]:
        """Send a line, and return the answer."""
        self.socket.sendall(f"{line}\r\n".encode())
        return self.answer(line.partition(" ")[0])

    def answer(self, tag: str = "*") -> list[str]:
        """Return the next answer; of IMAP, all up to the one with the tag."""
        lines: list[str] = []
        end, size = time.monotonic() + self.timeout, 0
        while True:
            raw = self._line(end)
            size += len(raw)
            if size > _MOST:
                raise Problem(f"its answer has no end: {lines[0][:80] if lines else ''}…")
            if not raw.endswith(b"\n"):
                raise Ended(f"the connection ended{f' after: {lines[-1]}' if lines else ''}")
            lines.append(raw.decode("utf-8", "replace").strip())
            if self._is_last(lines[-1], tag):
                return lines

    def _line(self, end: float) -> bytes:
        """Return the next line; without its end if it is too long, or the connection has ended."""
        while b"\n" not in self._read and len(self._read) <= _MOST:
            if (left := end - time.monotonic()) <= 0:
                raise TimeoutError
            self.socket.settimeout(left)
            try:
                more = self.socket.recv(4096)
            finally:
                self.socket.settimeout(self.timeout)
            if not more:
                break
            self._read += more
        line, newline, self._read = self._read.partition(b"\n")
        return line + newline

    def _is_last(self, line: str, tag: str) -> bool:
        if self.how == "smtp":
            return line[3:4] != "-"
        if self.how == "imap":
            return line.startswith((f"{tag} ", "+ ", "* BYE"))
        if self.how == "sieve":
            return line.upper().startswith(("OK", "NO", "BYE"))
        return True


def code(answer: list[str]) -> int:
    """Return the code of an answer of SMTP."""
    return int(answer[-1][:3]) if answer[-1][:3].isdigit() else 0
