"""The homes of users, by Dovecot's own protocol."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mailstack.on_host.backup import homes
from mailstack.on_host.backup.restic import FailureError

KNOWN = {
    "alice@example.org": "home=/var/vmail/example.org/alice.1\tmail=sdbox:~/sdbox\tuid=5000",
    "bob@example.org": "home=/srv/bob\tmail_driver=maildir",
}


@contextmanager
def dovecot(path: Path, most: int = 1000) -> Iterator[None]:
    """Answer as Dovecot does, until it has answered for so many users."""
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()

        def serve() -> None:
            connection, _ = listening.accept()
            with connection, connection.makefile("r", encoding="utf-8") as session:
                connection.sendall(b"VERSION\t1\t1\nSPID\t7\n")
                count = 0
                for line in session:
                    kind, *rest = line.rstrip("\n").split("\t")
                    if kind != "USER":
                        continue
                    number, user = rest[:2]
                    fields = KNOWN.get(user)
                    said = f"USER\t{number}\t{user}\t{fields}\n" if fields else f"NOTFOUND\t{number}\n"
                    connection.sendall(said.encode())
                    count += 1
                    if count >= most:
                        return

        job = threading.Thread(target=serve, daemon=True)
        job.start()
        yield
        job.join(5)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(homes, "_USERS", tmp_path / "auth-userdb")
    monkeypatch.setattr(homes, "_SECONDS", 20)
    return tmp_path / "auth-userdb"


@pytest.mark.parametrize("at_once", [1, 2, 100])
def test_homes_and_drivers(place: Path, monkeypatch: pytest.MonkeyPatch, at_once: int) -> None:
    monkeypatch.setattr(homes, "_AT_ONCE", at_once)
    with dovecot(place):
        found = homes._asked(["alice@example.org", "nobody@example.org", "bob@example.org", ""])
    assert {user: fields["home"] for user, fields in found.items()} == {
        "alice@example.org": "/var/vmail/example.org/alice.1",
        "bob@example.org": "/srv/bob",
    }


@pytest.mark.parametrize(("user", "driver"), [("alice@example.org", "sdbox"), ("bob@example.org", "maildir")])
def test_the_driver_of_a_user(place: Path, user: str, driver: str) -> None:
    with dovecot(place):
        assert getattr(homes.account_of(user), "driver", None) == driver


def test_a_user_who_is_not_there(place: Path) -> None:
    with dovecot(place):
        assert homes.account_of("nobody@example.org") is None


def test_a_connection_that_is_closed(place: Path) -> None:
    with dovecot(place, most=1), pytest.raises(FailureError, match="the connection was closed"):
        homes._asked(["alice@example.org", "bob@example.org"])


def test_no_dovecot(place: Path) -> None:
    with pytest.raises(FailureError, match="Dovecot can't look up users"):
        homes.account_of("alice@example.org")
