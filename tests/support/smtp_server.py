"""A server of SMTP in a thread, with the answers that a test gives it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest


class Server:
    """A server of SMTP, with the answers that a test gives it.

    + answers: what it says to a command, by its beginning; an empty one ends the connection
    """

    def __init__(self, answers: dict[str, str]) -> None:
        self.answers = {"": "220 mx ESMTP", "EHLO": "250 mx", "MAIL": "250 ok", "QUIT": "221 bye"} | answers
        self.seen: list[str] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            with client, client.makefile("rw", newline="\r\n") as lines:
                line: str | None = ""
                while line is not None:
                    answer = self.answers.get(line[:4].strip(), "500 what?")
                    if not answer:
                        break
                    lines.write(f"{answer}\n")
                    lines.flush()
                    line = lines.readline().strip() or None
                    self.seen += [line] if line else []


@contextmanager
def smtp(monkeypatch: pytest.MonkeyPatch, answers: dict[str, str]) -> Iterator[Server]:
    """Run a server that the checks find on every port."""
    server = Server(answers)
    connect = socket.create_connection
    with monkeypatch.context() as patch:
        patch.setattr(
            socket, "create_connection", lambda address, *more: connect((address[0], server.port), *more)
        )
        yield server
    server.socket.close()
