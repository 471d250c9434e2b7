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
from mailstack.accounts.mail import deleting
from mailstack.on_host.convert import __main__ as program
from mailstack.on_host.convert import checks, lock
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


def test_the_mailbox_is_locked_between_two_deliveries(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = [["lmtp (7)"], ["imap (8)", "lmtp (7)"], ["imap (8)"], []]
    left_at_lock: list[int] = []
    monkeypatch.setattr(lock, "_opened", lambda _: seen.pop(0))
    monkeypatch.setattr(lock, "_processes", lambda: ["1"])
    monkeypatch.setattr(lock, "_locked", lambda _: [])
    monkeypatch.setattr(lock, "_among", lambda *_: left_at_lock.append(len(seen)))
    monkeypatch.setattr(move, "sessions", list)
    lock.lock(move)
    assert left_at_lock == [1]


def test_lock_files_of_who_was_locked_out_are_removed(move: Move, monkeypatch: pytest.MonkeyPatch) -> None:
    folders = [move.source, move.source / ".Sent", move.source / ".dovecot lock"]
    folders[-1].mkdir()
    left = [folder / name for folder in folders for name in ("dovecot-uidlist.lock", "subscriptions.lock")]
    left.append(move.source / "dovecot.index.log.newlock")
    kept = [move.source / "dovecot-uidlist", move.source / "dovecot.index.log", folders[-1] / "cur"]
    for file in (*left, *kept):
        file.write_text("1:mail.example.org")
    monkeypatch.setattr(lock, "_processes", list)
    monkeypatch.setattr(move, "sessions", list)
    lock.lock(move)
    assert not any(file.exists() for file in left) and all(file.exists() for file in kept)


def test_a_process_that_closes_files_still_has_the_others_open(
    move: Move, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A delivery is busy as the mailbox is locked: some of its files are gone as they are looked at."""
    real = Path.readlink

    def readlink(file: Path) -> Path:
        if file.name == "0":
            raise FileNotFoundError(2, "No such file or directory")
        return real(file)

    monkeypatch.setattr(Path, "readlink", readlink)
    with (move.source / "cur/1.host:2,S").open():
        assert any(f"({os.getpid()})" in each for each in lock._opened(move.source))


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


def test_no_link_leads_a_mount_anywhere(move: Move, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Here no command has mounts of its own, and mount(8) only says where it is."""
    real = subprocess.run
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/mount").write_text("#!/bin/sh\npwd\n")
    (tmp_path / "bin/mount").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{os.environ['PATH']}")
    said: list[str] = []

    def run(command: list[str], **how: Any) -> subprocess.CompletedProcess[str]:
        done: subprocess.CompletedProcess[str] = real(command[command.index("--") + 1 :], **how)
        said.append(done.stdout)
        return done

    monkeypatch.setattr(subprocess, "run", run)
    lock._among("1", move.source, "mount", ".")
    assert said == [f"{move.source}\n"]
    move.source.rename(tmp_path / "etc")
    move.source.symlink_to("etc")
    with pytest.raises(subprocess.CalledProcessError) as caught:
        lock._among("1", move.source, "mount", ".")
    assert caught.value.stderr == f"{move.source} is a link\n"


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


def delete_home(root: Path, home: Path, plan: str, before: str = "") -> subprocess.CompletedProcess[str]:
    """Run ``delete_homes.sh`` on a host where the command with this plan is at work; it waits for no time."""
    (root / "run/mailstack-convert").mkdir(parents=True, exist_ok=True)
    (root / "run/mailstack-convert/plan").write_text(plan)
    text = f"sleep() {{ :; }}\n{before}\n{deleting([str(home)])}"
    environment = {**os.environ, "MAILSTACK_ROOT": str(root)}
    return subprocess.run(["sh"], input=text, env=environment, text=True, capture_output=True, check=False)


@pytest.mark.parametrize("name", ["alice", 'a"b', "a\\b", "a'b", "ä.b*c"])
def test_no_home_is_deleted_under_a_command_that_works_on_it(tmp_path: Path, name: str) -> None:
    home = tmp_path / name
    home.mkdir()
    plan, other = (
        json.dumps({"email": "a@example.org", "home": str(path), "before": "sdbox"}, ensure_ascii=False)
        for path in (home, tmp_path / "other")
    )
    assert f"works on {home};" in delete_home(tmp_path, home, plan).stderr and home.exists()
    assert delete_home(tmp_path, home, other).returncode == 0 and not home.exists()


def test_no_home_is_deleted_where_a_link_of_dovecot_s_user_leads(tmp_path: Path) -> None:
    """The directory of a domain may be a link to /home, which has a directory of the same name."""
    (tmp_path / "etc/alice").mkdir(parents=True)
    (tmp_path / "vmail").mkdir()
    domain = tmp_path / "vmail/example.org"
    domain.symlink_to(tmp_path / "etc")
    theirs = "stat() { echo 4242; }"
    done = delete_home(tmp_path, domain / "alice", "", before=theirs)
    assert done.stderr == f"{domain} is a symbolic link that root has not made: remove it\n"
    assert done.returncode == 1 and (tmp_path / "etc/alice").is_dir()
    assert delete_home(tmp_path, domain / "alice", "").returncode == 0  # to another disk
    assert delete_home(tmp_path, domain / "alice", "").returncode == 0 and not [*(tmp_path / "etc").iterdir()]


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
