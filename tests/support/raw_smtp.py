"""A bare SMTP session, for bytes that no honest client would send."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator

from tests.support import clients, sample_accounts
from tests.targets.containers import Target


class Dialogue:
    """Bytes go out as they are; answers come back one by one."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self._stream = connection.makefile("rb")

    def send(self, data: bytes) -> None:
        """Send, and do not wait for an answer. `answer` shows whether the server has hung up."""
        with contextlib.suppress(OSError):
            self.connection.sendall(data)

    def answer(self) -> bytes:
        """Return the last line of the next answer; nothing if the server has hung up."""
        try:
            while (line := self._stream.readline())[3:4] == b"-":
                pass
        except ConnectionError:
            return b""
        return line

    def say(self, *commands: bytes) -> list[bytes]:
        """Send each command, and return the last line of each answer. An empty one reads the greeting."""
        answers = []
        for command in commands:
            self.send(command)
            answers.append(self.answer())
        return answers

    def code(self, command: bytes = b"") -> int:
        """Return the code that a command is answered with; 0 if the server hangs up instead."""
        return int(self.say(command)[0][:3] or b"0")

    def rest(self) -> bytes:
        """Return all that the server says until it hangs up."""
        with contextlib.suppress(ConnectionError):
            return self._stream.read()
        return b""

    def close(self) -> None:
        """Hang up, with the streams, which would keep the socket open."""
        self._stream.close()
        self.connection.close()

    def starttls(self) -> None:
        """Continue over TLS, after the server has agreed to it."""
        self.connection = clients.tls().wrap_socket(self.connection)
        self._stream = self.connection.makefile("rb")


@contextlib.contextmanager
def dialogue(server: Target | str, port: int = 25, *, greeted: bool = False) -> Iterator[Dialogue]:
    """Yield a connection on which nothing was said yet, or EHLO if `greeted`.

    `server` may be its address, which is quicker where many follow one another: a target asks Docker for it.
    """
    address = server if isinstance(server, str) else server.ip
    with socket.create_connection((address, port), timeout=clients.TIMEOUT) as connection:
        made = Dialogue(connection)
        if greeted:
            made.say(b"", f"EHLO {sample_accounts.REMOTE}\r\n".encode())
        yield made
        made.close()
