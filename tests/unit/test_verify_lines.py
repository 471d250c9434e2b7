"""Answers of servers: each has a limit, whatever the server sends."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from mailstack.on_host.verify.lines import Session
from mailstack.on_host.verify.results import Problem

Serve = Callable[[Callable[[socket.socket], None]], int]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Yield a function that has a server talk to its one client, and returns its port."""
    threads = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def accept(talk: Callable[[socket.socket], None]) -> None:
            connection, _ = listening.accept()
            with connection:
                try:
                    talk(connection)
                except OSError:
                    return  # the client has gone

        def start(talk: Callable[[socket.socket], None]) -> int:
            threads.append(threading.Thread(target=accept, args=(talk,)))
            threads[-1].start()
            return int(listening.getsockname()[1])

        yield start
        for thread in threads:
            thread.join(60)


def test_an_answer_in_parts(serve: Serve) -> None:
    def talk(connection: socket.socket) -> None:
        for part in (b"220-one\r\n22", b"0 two\r\n250-a\r\n250 b\r\n"):
            connection.sendall(part)
        connection.recv(100)

    with Session("smtp", "127.0.0.1", serve(talk)) as session:
        assert session.answer() == ["220-one", "220 two"]
        assert session.ask("EHLO x") == ["250-a", "250 b"]
        with pytest.raises(Problem, match="the connection ended"):
            session.answer()


@pytest.mark.parametrize("part", [b"220-x\r\n", b"x"])
def test_an_answer_that_takes_too_long(serve: Serve, part: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        for _ in range(100):
            connection.sendall(part)
            time.sleep(0.1)

    with Session("smtp", "127.0.0.1", serve(talk), timeout=0.5) as session, pytest.raises(TimeoutError):
        session.answer()


@pytest.mark.parametrize("part", [b"220-x\r\n", b"x"])
def test_an_answer_without_end(serve: Serve, part: bytes) -> None:
    def talk(connection: socket.socket) -> None:
        for _ in range(1000):
            connection.sendall(part * 1000)

    with (
        Session("smtp", "127.0.0.1", serve(talk), timeout=60) as session,
        pytest.raises(Problem, match="its answer has no end"),
    ):
        session.answer()
