"""What can't be carried over to another mail driver is found before anything is changed."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from mailstack.accounts.convert import is_unfinished, last_time
from mailstack.on_host.convert import __main__ as program
from mailstack.on_host.convert import checks
from mailstack.on_host.convert.move import Move, Problem

CUT_OFF = {"at": "2026-11-30T05:02:25Z", "before": "maildir", "after": "sdbox"}


@pytest.fixture
def move(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Move:
    """Return the move of a Maildir with two messages, which Dovecot shows, to sdbox."""
    for name in ("cur", "new", "tmp", ".Sent/cur"):
        (tmp_path / "Maildir" / name).mkdir(parents=True)
    (tmp_path / "Maildir/cur/1.host:2,S").write_bytes(b"x" * (5 << 20))
    (tmp_path / "Maildir/.Sent/cur/2.host:2,").write_bytes(b"x")
    plan = {"email": "alice@example.org", "home": str(tmp_path), "before": "maildir", "after": "sdbox"}
    made = Move({**plan, "generation": "2.4", "switch": ""})
    monkeypatch.setattr(made, "counted", lambda *_: ["INBOX\t1\t0\t2\t1", "Sent\t1\t0\t3\t1"])
    monkeypatch.setattr(time, "sleep", lambda _: None)
    return made


def problem(move: Move) -> str:
    with pytest.raises(Problem) as caught:
        checks.check(move)
    return str(caught.value)


def test_an_ordinary_maildir_can_be_carried(move: Move) -> None:
    checks.check(move)
    assert checks.size(move.source).messages == 2


def test_symbolic_links_and_pipes_are_refused(move: Move) -> None:
    (move.source / ".Elsewhere").symlink_to("/srv")
    assert f"{move.source}/.Elsewhere is a symbolic link" in problem(move)
    (move.source / ".Elsewhere").unlink()
    os.mkfifo(move.source / "pipe")
    assert f"{move.source}/pipe is neither a file nor a directory" in problem(move)


def test_a_link_to_the_maildir_is_refused(move: Move, tmp_path: Path) -> None:
    move.source.rename(tmp_path / "real")
    move.source.symlink_to("real")
    assert f"{move.source} is a symbolic link" in problem(move)


def test_what_is_in_the_way_is_named(move: Move) -> None:
    move.old.mkdir()
    assert f"{move.old} is there already" in problem(move)


def test_messages_that_dovecot_does_not_show_are_not_left_behind(move: Move) -> None:
    hidden = move.source / ".Gel\u00f6scht/cur"
    hidden.mkdir(parents=True)
    (hidden / "3.host:2,").write_bytes(b"x")
    assert f"{move.source} has 3 files of messages, and Dovecot shows 2" in problem(move)


@pytest.mark.parametrize(
    ("free", "files", "said"),
    [
        (68, 1_000_000, "has 68 MiB free, and 69 MiB are needed"),
        (1000, 1005, "has room for 1005 more files, and 10"),
        (1000, None, None),
    ],
)
def test_a_full_disk_is_said(
    move: Move, monkeypatch: pytest.MonkeyPatch, free: int, files: int | None, said: str | None
) -> None:
    disk = SimpleNamespace(
        f_bavail=free << 8, f_frsize=4096, f_files=files and 10_000_000, f_favail=files or 0
    )
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    if said:
        assert said in problem(move)
    else:
        checks.check(move)


def test_a_part_that_was_copied_needs_no_more_room(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = SimpleNamespace(f_bavail=68 << 8, f_frsize=4096, f_files=0, f_favail=0)
    monkeypatch.setattr(os, "statvfs", lambda _: disk)
    move.new.mkdir()
    (move.new / "u.1").write_bytes(b"x" * (2 << 20))
    checks.check(move)


def test_the_record_says_how_it_ended() -> None:
    assert is_unfinished(CUT_OFF, "sdbox") and not is_unfinished(CUT_OFF, "maildir")
    assert last_time(CUT_OFF) == "the last attempt, of 2026-11-30 05:02:25 UTC, was cut off"
    failed = {**CUT_OFF, "failed": "no room"}
    assert not is_unfinished(failed, "sdbox")
    assert last_time(failed) == "the last attempt, of 2026-11-30 05:02:25 UTC, failed: no room"
    done = {**CUT_OFF, "messages": 3, "locked": 0.4}
    assert not is_unfinished(done, "sdbox") and not last_time(done) and not last_time({})


def test_a_client_of_the_database_that_waits_ends_with_the_shell(
    move: Move, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    late = tmp_path / "late"
    move.switch = f"(sleep 2; touch {late}) & wait"
    monkeypatch.setattr(program, "SWITCHING", 1)
    with pytest.raises(Problem, match="the database gave no answer within 1 s"):
        program.change(move)
    subprocess.run(["sleep", "1.5"], check=True)
    assert not late.exists()
