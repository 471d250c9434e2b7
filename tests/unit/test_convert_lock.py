"""A mailbox is locked while its mail is carried over to another mail driver."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mailstack.on_host.convert import lock
from mailstack.on_host.convert.move import Move
from tests.unit.test_convert import move

__all__ = ["move"]


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
