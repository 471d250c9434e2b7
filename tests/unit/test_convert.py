"""What can't be carried over to another mail driver is found before anything is changed."""

from __future__ import annotations

import json
import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack import Settings
from mailstack.accounts.convert import User, is_unfinished, last_time
from mailstack.on_host.convert import __main__ as program
from mailstack.on_host.convert import checks
from mailstack.on_host.convert.move import LOCKED, Move, Problem
from mailstack.run import Said

# the command has the same name
command: Any = import_module("mailstack.accounts.convert")
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


def test_what_dovecot_has_not_seen_is_not_left_behind(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    """Mail is still in the old place for the next run: the database is not told of the new one."""
    changed: list[Move] = []
    monkeypatch.setattr(move, "copy", lambda _: True)
    move.new.mkdir()
    monkeypatch.setattr(program, "change", changed.append)
    monkeypatch.setattr(program, "written", lambda _: None)
    (move.source / "new/3.host").write_bytes(b"x")
    with pytest.raises(Problem, match="Maildir has 3 files of messages, and Dovecot has copied 2"):
        program.switch(move)
    assert not changed and move.new.is_dir()
    (move.source / "new/3.host").unlink()
    assert program.switch(move) == 2 and changed


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
    assert is_unfinished(CUT_OFF, "sdbox", delete_old=False)
    assert not is_unfinished(CUT_OFF, "maildir", delete_old=True)
    assert last_time(CUT_OFF) == "the last attempt, of 2026-11-30 05:02:25 UTC, was cut off"
    failed = {**CUT_OFF, "failed": "no room"}
    assert is_unfinished(failed, "sdbox", delete_old=False)  # it failed after the switch
    assert last_time(failed) == "the last attempt, of 2026-11-30 05:02:25 UTC, failed: no room"
    done = {**CUT_OFF, "messages": 3, "locked": 0.4}
    assert not is_unfinished(done, "sdbox", delete_old=False) and not last_time(done) and not last_time({})
    left = {**done, "left": "Maildir.old is not deleted: no"}
    assert is_unfinished(left, "sdbox", delete_old=True)  # so the next run deletes it
    assert not is_unfinished(left, "sdbox", delete_old=False)  # it would only forget what is left
    assert last_time(left) == (
        "the last attempt, of 2026-11-30 05:02:25 UTC, failed: Maildir.old is not deleted: no"
    )


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        ({"now": [("maildir",)]}, "the mail stays as it was"),
        ({"now": [("sdbox",)]}, "the mail in sdbox is in use; the same command completes it"),
        ({"now": [["sdbox"]]}, "the mail in sdbox is in use; the same command completes it"),  # of MariaDB
        ({"now": []}, "the user is gone"),
        ({}, "the user is gone"),  # of MariaDB
        (None, "the database does not say which mail is in use; the same command completes it"),
    ],
)
def test_an_attempt_that_failed_says_which_mail_is_in_use(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any] | None, outcome: str
) -> None:
    lines: list[str] = []

    def ask(settings: Settings, queries: object) -> dict[str, Any]:
        if answer is None:
            raise OperationValueError("there is no mail database 'mail' that answers")
        return answer

    monkeypatch.setattr(command, "ask", ask)
    monkeypatch.setattr(command, "host", SimpleNamespace(log_styled=lambda line, **_: lines.append(line)))
    failed = Said(succeeded=False, output="", errors="[Errno 28] No space left on device: 'Maildir.old'\n")
    monkeypatch.setattr(command.mailbox_program, "run", lambda *_: failed)
    user = User("alice@example.org", "/var/vmail/a", "maildir", active=True)
    settings = Settings(mail_hostname="mail.example.org")
    assert not command._carried(settings, user, "sdbox", "2.4", delete_old=False, which="1 of 1")
    said = "[Errno 28] No space left on device: 'Maildir.old'"
    assert lines == [f"1 of 1: alice@example.org: {said}; {outcome}"]


def test_a_last_step_that_fails_again_is_left_to_the_next_run(
    move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    move.mark.touch()
    move.old.symlink_to("/dev/full")
    monkeypatch.setattr(move, "driver", lambda: "sdbox")
    monkeypatch.setattr(program, "unlock", lambda: None)
    program.undo(move)
    assert move.mark.exists() and move.source.is_dir()
    move.old.unlink()
    program.undo(move)
    assert not move.mark.exists() and move.source.is_file() and move.old.is_dir()


def test_a_note_that_can_not_be_written_leaves_the_mail_where_it_is(
    move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the change in the database, it would open the old mailbox, and a delivery there is not seen."""
    changed: list[Move] = []
    monkeypatch.setattr(move, "copy", lambda _: True)
    monkeypatch.setattr(move, "driver", lambda: "maildir")
    monkeypatch.setattr(program, "change", changed.append)
    for name in ("written", "unlock"):
        monkeypatch.setattr(program, name, lambda *_: None)
    move.new.mkdir()
    move.old.symlink_to("/dev/full")
    with pytest.raises(OSError, match="symbolic links"):
        program.switch(move)
    program.undo(move)
    assert not changed and move.source.is_dir() and move.new.is_dir() and not move.mark.exists()
    move.old.unlink()
    program.leave_note(move)  # and the run ends
    move.mark.touch()
    program.undo(move)
    assert not move.old.exists() and move.source.is_dir()


def test_root_writes_no_file_that_a_link_of_dovecot_s_user_leads_to(move: Move, tmp_path: Path) -> None:
    """Between the check and the last step, hours may have passed."""
    shadow = tmp_path / "shadow"
    shadow.write_text("root:*:1\n")
    for file in (move.old, move.mark):
        file.symlink_to(shadow)
        with pytest.raises(OSError, match="symbolic links"):
            program.write(file, "text")
        file.unlink()
        os.mkfifo(file)
        with pytest.raises(OSError, match="No such device"):
            program.write(file, "text")
        file.unlink()
    move.old.symlink_to(shadow)
    with pytest.raises(OSError, match="symbolic links"):
        program.leave_note(move)
    assert shadow.read_text() == "root:*:1\n" and move.source.is_dir()
    move.old.unlink()
    program.leave_note(move)
    program.retire(move)
    assert str(move.target) in move.source.read_text() and move.old.is_dir()


def test_old_mail_that_can_not_be_deleted_is_no_failed_move(
    move: Move, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    move.old.mkdir()
    noted: list[dict[str, Any]] = []
    undone: list[Move] = []
    plan = tmp_path / "plan"
    plan.write_text(json.dumps({"delete_old": True}))

    def refuse(path: Path) -> None:
        raise PermissionError(1, "Operation not permitted", f"{path}/cur")

    monkeypatch.setattr(program, "Move", lambda _: move)
    monkeypatch.setattr(program, "carry", lambda _: {"messages": 2, "locked": 0.5})
    monkeypatch.setattr(program, "undo", undone.append)
    monkeypatch.setattr(program, "note", lambda _, **about: noted.append(about))
    monkeypatch.setattr("shutil.rmtree", refuse)
    monkeypatch.setattr("sys.argv", ["program", str(plan), program.INSIDE])
    program.main()
    left = f"{move.old} is not deleted: Operation not permitted: {move.old}/cur"
    assert json.loads(capsys.readouterr().out) == {"messages": 2, "locked": 0.5, "left": left}
    assert noted[-1]["left"] == left and noted[-1]["messages"] == 2 and not undone


def test_copies_that_keep_backups_waiting_have_a_short_limit(
    move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    waiting: list[bool] = []
    limits: list[tuple[bool, float]] = []

    @contextmanager
    def no_backup() -> Iterator[None]:
        waiting.append(True)
        yield
        waiting.clear()

    def copy(within: float) -> bool:
        limits.append((bool(waiting), within))
        return True

    move.copy = copy  # type: ignore[method-assign]
    move.driver = lambda: "maildir"  # type: ignore[method-assign]
    monkeypatch.setattr(program, "no_backup", no_backup)
    for name in ("tidy", "check", "written", "unlock"):
        monkeypatch.setattr(program, name, lambda *_: None)
    monkeypatch.setattr(program, "lock", lambda _: time.monotonic())
    monkeypatch.setattr(program, "switch", lambda _: 2)
    program.carry(move)
    assert limits == [(False, program.COPYING), (True, LOCKED)]


def test_a_client_of_the_database_that_waits_ends_with_the_shell(
    move: Move, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    held = tmp_path / "held"
    move.switch = f"(flock 9; sleep 300) 9>{held} >/dev/null 2>&1 & wait"
    monkeypatch.setattr(program, "SWITCHING", 1)
    with pytest.raises(Problem, match="the database gave no answer within 1 s"):
        program.change(move)
    deadline = time.monotonic() + 60
    while subprocess.run(["flock", "-n", held, "true"]).returncode:
        assert time.monotonic() < deadline, "it works on"
        time.sleep(0.05)
