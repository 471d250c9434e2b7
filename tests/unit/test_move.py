"""A move of mail to another host: what is written when, and what is undone. No host is asked."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationError, OperationValueError

from mailstack import Settings, accounts
from mailstack.accounts.move import Moving
from mailstack.backends import Backends
from mailstack.shell import script
from mailstack.topology import Node

# the command has the same name
move: Any = import_module("mailstack.accounts.move")
ONE, TWO = Node("one", ("imap",), "192.0.2.1"), Node("two", ("imap",), "2001:db8::2")
SETTINGS = Settings(mail_hostname="mail.example.org")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the move does, in order."""
    steps: list[str] = []
    stored: list[str | None] = [None]

    def change(_: Settings, email: str, before: str | None, after: str) -> None:
        if stored[0] == before:
            stored[0] = after
            steps.append(after)

    monkeypatch.setattr(move, "_change", change)
    monkeypatch.setattr(move, "_set", change)

    def run(on: object, text: str, within: float) -> None:
        if text.startswith("[ ! -e /home ]"):
            steps.append(f"no mail on {on}")
            return
        lock, _, rest = text.partition(script("lock_home", "/home"))
        assert lock == "" and rest, "two copies at once"
        steps.append(rest.strip().partition("\n")[0])

    monkeypatch.setattr(move, "_run", run)
    monkeypatch.setattr(move, "_wait_for_standbys", lambda _: steps.append("all know it"))
    monkeypatch.setattr(move.hosts, "host_of", lambda node: node.name)
    return steps


def test_the_mailbox_is_locked_for_the_last_copy_alone(done: list[str]) -> None:
    move._carried(SETTINGS, Moving("a@example.org", "/home", None, ONE, TWO))
    to = "tcps:[2001:db8::2]:24245"
    copy, last = f"doveadm backup -u a@example.org '{to}'", f"set -- a@example.org '{to}'"
    assert done == ["no mail on two", "one>two", copy, "one>>two", "all know it", last, "two"]


@pytest.mark.parametrize("failing", ["doveadm backup", "set -- a@example.org"])
def test_a_user_whose_copy_fails_stays(
    done: list[str], monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def run(on: object, text: str, within: float) -> None:
        if failing in text:
            raise OperationError("no")

    monkeypatch.setattr(move, "_run", run)
    with pytest.raises(OperationError, match="no"):
        move._carried(SETTINGS, Moving("a@example.org", "/home", None, ONE, TWO))
    assert done[-1] == "one"


def test_a_move_back_of_a_killed_run_only_unlocks(done: list[str]) -> None:
    before = Moving("a@example.org", "/home", None, ONE, ONE)
    assert move._carried(SETTINGS, before) == 0
    assert done == ["one"]


def test_mail_is_not_replaced_by_that_of_the_first_host(
    done: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A user without a host in the database is on the first, and the order may have changed."""

    def run(on: object, text: str, within: float) -> None:
        ended = subprocess.run(["sh"], input=text, text=True, capture_output=True, timeout=60)
        if ended.returncode:
            raise OperationError(ended.stderr.strip())

    monkeypatch.setattr(move, "_run", run)
    user = Moving("a@example.org", str(tmp_path), None, ONE, TWO)
    with pytest.raises(OperationError, match=f"mail in {tmp_path} already: write the host"):
        move._carried(SETTINGS, user)
    assert done == []
    monkeypatch.setattr(move, "_run", lambda on, text, within: None)
    move._carried(SETTINGS, user._replace(stored="one"))


def test_a_standby_that_does_not_know_it_ends_the_move(
    done: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def wait(_: Settings) -> None:
        raise OperationError("no")

    monkeypatch.setattr(move, "_wait_for_standbys", wait)
    with pytest.raises(OperationError, match="no"):
        move._carried(SETTINGS, Moving("a@example.org", "/home", None, ONE, TWO))
    assert done[-2:] == ["one>>two", "one"]


@pytest.mark.parametrize(("followers", "arguments", "status"), [(2, ("2",), 0), (1, ("2",), 1), (0, (), 0)])
def test_all_standbys_must_know_it(followers: int, arguments: tuple[str, ...], status: int) -> None:
    """With a server that has as many standbys which follow."""
    server = (
        "as_superuser() { case $* in *pg_current_wal_lsn*) echo 0/500 ;;"
        f" *greatest\\(2*) echo $((2 - {followers})) ;; *) echo 0 ;; esac; }}\nsleep() {{ :; }}\n"
    )
    text = server + script("wait_for_standbys", "5432", "mail", *arguments)
    done = subprocess.run(["sh"], input=text, text=True, capture_output=True, timeout=60)
    assert (done.returncode, "mailstack.db.status" in done.stderr) == (status, bool(status))


def test_a_home_has_one_copy_at_a_time(tmp_path: Path) -> None:
    """Also if the run that began it was killed, and only the program lives."""
    lock = script("lock_home", str(tmp_path))

    def run(more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["sh"], input=f"{lock}\n{more}", text=True, capture_output=True, timeout=60)

    left = subprocess.Popen(["sh"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert left.stdin and left.stdout
    left.stdin.write(f"{lock}\nsleep 300 & echo $!; kill -9 $$\n")
    left.stdin.close()
    program = int(left.stdout.readline())
    left.wait()
    refused = run("echo copied")
    os.kill(program, signal.SIGKILL)
    assert (refused.returncode, refused.stdout) == (1, "") and "not finished" in refused.stderr
    deadline = time.monotonic() + 60
    while run("echo copied").stdout != "copied\n":
        assert time.monotonic() < deadline
    assert run("true").returncode == 0
    tmp_path.rmdir()
    assert run("echo copied").stdout == "copied\n"


@pytest.mark.parametrize(
    ("home", "said"),
    [
        ("/var/vmail/of_alice", None),
        ("/var/vmail/example.org", "has the mail of bob@example.org too"),
        ("/home/alice", "is not below /var/vmail"),
    ],
)
def test_only_the_mail_of_who_moves_is_deleted(
    monkeypatch: pytest.MonkeyPatch, home: str, said: str | None
) -> None:
    """The user before whom another one moves has mail there still."""
    rows = [("alice@example.org", home, None), ("bob@example.org", None, None)]
    monkeypatch.setattr(move, "ask", lambda settings, asked: {"users": rows})
    moving = [Moving("alice@example.org", home, None, ONE, TWO)]
    if said is None:
        move._check_deletable(SETTINGS, moving)
        return
    moving.append(Moving("bob@example.org", "/var/vmail/example.org/bob", None, ONE, TWO))
    with pytest.raises(OperationValueError, match=f"delete_old: {home} of alice@example.org {said}"):
        move._check_deletable(SETTINGS, moving)


@pytest.mark.parametrize(("looks", "status"), [(0, 0), (3, 0), (1000, 1)])
def test_no_session_changes_the_mail_after_the_last_copy(tmp_path: Path, looks: int, status: int) -> None:
    """A session that was kicked still finishes its command, such as a COPY of all messages."""
    (tmp_path / "left").write_text(f"{looks}\n")
    program = tmp_path / "doveadm"
    program.write_text(
        f"""#!/bin/sh
cd {tmp_path}; left=$(cat left)
case $* in
  "kick a@example.org") echo $((left - 1)) > left ;;
  "-f tab who a@example.org")
    [ "$left" -gt 0 ] || exit 68
    printf 'username\\tservice\\na@example.org\\timap\\n' ;;
  "backup -u a@example.org tcps:192.0.2.2:24245") [ "$left" = 0 ] || echo early > early; echo > copied ;;
  *) exit 99 ;;
esac
"""
    )
    program.chmod(0o755)
    text = "sleep() { :; }\nss() { :; }\n" + script(
        "last_of_mailbox", "a@example.org", "tcps:192.0.2.2:24245"
    )
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["sh"], input=text, text=True, capture_output=True, timeout=60, env=path)
    assert (done.returncode, (tmp_path / "copied").exists()) == (status, not status), done.stderr
    assert not (tmp_path / "early").exists() and ("does not end" in done.stderr) == bool(status)


@pytest.mark.parametrize("users", ["a b@example.org", "no domain", ""])
def test_impossible_users(users: str) -> None:
    with pytest.raises(OperationValueError, match="allowed: an address, a domain, or all"):
        command: Any = accounts.move
        command._inner(users, "two")


#: ``email``, ``home_directory``, ``mail_directory``, ``backend``, and whether user and domain are active.
ROWS = [
    ("new@example.org", None, "new", None, True),
    ("two@example.org", None, "two", "two", True),
    ("half@example.org", None, "half", "one>two", True),
    ("back@example.org", None, "back", "two>>one", True),
    ("off@example.org", None, "off", "one", False),
    ("s*r@example.org", None, "star", "one", True),
]
SEVERAL = Backends(ONE, (ONE, TWO), (ONE, TWO))


@pytest.fixture
def log(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what is said."""
    said: list[str] = []
    host = SimpleNamespace(log=said.append, log_styled=lambda text, **_: said.append(text))
    monkeypatch.setattr(move, "host", host)
    return said


def answers(monkeypatch: pytest.MonkeyPatch, rows: Sequence[Sequence[object]]) -> None:
    """Let the database answer with these rows."""
    monkeypatch.setattr(move, "ask", lambda *_: {"users": rows})
    monkeypatch.setattr(move, "forget", lambda: None)


def test_who_moves(log: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    answers(monkeypatch, ROWS)
    found = move._moving(SETTINGS, "all", SEVERAL, TWO)
    assert [(user.email.partition("@")[0], user.source.name, user.stored) for user in found] == [
        ("back", "two", "two>>one"),  # its move away was killed: it is only unlocked
        ("half", "one", "one>two"),
        ("new", "one", None),
    ]
    assert [line.partition(" ")[0] for line in log] == ["off@example.org", "s*r@example.org"]


def test_a_user_on_a_host_that_is_not_in_the_inventory(
    log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    answers(monkeypatch, [("a@example.org", None, "a", "three", True)])
    with pytest.raises(OperationValueError, match="its mail is on three, which is not in the group imap"):
        move._moving(SETTINGS, "a@example.org", SEVERAL, TWO)
    answers(monkeypatch, [])
    with pytest.raises(OperationValueError, match=r"there is no user a@example\.org"):
        move._moving(SETTINGS, "a@example.org", SEVERAL, TWO)


@pytest.mark.parametrize(
    ("source", "delete_old", "deletes"),
    [(ONE, True, True), (ONE, False, False), (TWO, True, False)],
    ids=["as wished", "not wished", "it is on the host that it moves to"],
)
def test_only_the_mail_on_the_host_before_is_deleted(
    source: Node, delete_old: bool, deletes: bool, log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    ran: list[tuple[str, str]] = []
    monkeypatch.setattr(move, "_carried", lambda *_: 1.0)
    monkeypatch.setattr(move, "_run", lambda on, text, within: ran.append((on, text)))
    monkeypatch.setattr(move.hosts, "host_of", lambda node: node.name)
    monkeypatch.setattr(move.hosts, "topology", lambda: SimpleNamespace(reached=()))
    user = Moving("a@example.org", "/var/vmail/a", None, source, TWO)
    assert move._moved(SETTINGS, user, SEVERAL, delete_old, "1 of 1")
    assert [on for on, _ in ran] == (["one"] if deletes else [])
    assert all("/var/vmail/a" in text for _, text in ran)
    assert log == ["1 of 1: a@example.org: locked for 1.0 s"]


def test_another_run_is_not_overwritten(monkeypatch: pytest.MonkeyPatch) -> None:
    ran: list[str] = []
    monkeypatch.setattr(move, "current_host", lambda: None)
    monkeypatch.setattr(move, "_run", lambda on, text, within: ran.append(text))
    answers(monkeypatch, [("one>three",)])
    with pytest.raises(OperationError, match="the database says one>three by now"):
        move._set(SETTINGS, "a@example.org", "one>two", "one>>two")
    (text,) = ran
    assert "WHERE email = 'a@example.org' AND backend IS NOT DISTINCT FROM 'one>two';" in text


def test_mail_that_can_not_be_deleted_is_told_of_a_user_who_moved(
    log: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(on: object, text: str, within: float) -> None:
        raise OperationError(f"{on}: no")

    monkeypatch.setattr(move, "_carried", lambda *_: 1.0)
    monkeypatch.setattr(move, "_run", run)
    monkeypatch.setattr(move.hosts, "host_of", lambda node: node.name)
    monkeypatch.setattr(move.hosts, "topology", lambda: SimpleNamespace(reached=()))
    assert not move._moved(SETTINGS, Moving("a@example.org", "/a", None, ONE, TWO), SEVERAL, True, "1 of 1")
    assert log == [
        "1 of 1: a@example.org: locked for 1.0 s",
        "1 of 1: a@example.org: moved, but /a is not deleted: one: no",
    ]
