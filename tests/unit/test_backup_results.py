"""Results of backups and checks: none stands for another run, and damage is not forgotten."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from mailstack.on_host.backup import __main__ as program
from mailstack.on_host.backup import progress, run
from mailstack.on_host.backup.progress import Progress
from mailstack.on_host.backup.restic import FailureError
from mailstack.on_host.backup.run import Backup
from mailstack.overview import backups
from mailstack.overview.backups import Wanted
from mailstack.shell import script
from tests.unit.test_backup_runs import EMPTY, calls, places, repository

__all__ = ["places"]

DAMAGED = "case $* in check*) echo 'Fatal: repository contains errors' >&2; exit 1 ;; esac"
AWAY = "case $* in check*) echo 'Fatal: dial tcp: no route to host' >&2; exit 1 ;; esac"


@pytest.fixture
def results(places: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    found = places / "results"
    found.mkdir()
    monkeypatch.setattr(progress, "RESULTS", found)
    monkeypatch.setattr(program, "RESULTS", found)
    monkeypatch.setattr(run, "PLACE", places)
    monkeypatch.setattr(run, "STAGE", places / "stage")
    return found


def kept(results: Path, name: str = "backup") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((results / f"{name}.json").read_text())
    return found


def backup(places: Path, monkeypatch: pytest.MonkeyPatch, script: str, command: str = "run") -> int:
    """Run a command with a restic that is this script, and a backup that is made of nothing."""
    monkeypatch.setattr(Backup, "_snapshots", lambda _: "aaaa1111")
    monkeypatch.setattr(Backup, "_room", lambda _: None)
    found = repository(places, monkeypatch, script)
    (places / "calls").unlink(missing_ok=True)
    return program._recorded(command, {"keep": {}}, found)


def test_damage_stays_until_all_was_read(
    places: Path, monkeypatch: pytest.MonkeyPatch, results: Path
) -> None:
    assert backup(places, monkeypatch, DAMAGED) == 1
    assert kept(results)["failed"] == [
        "the repository is damaged: restic check: Fatal: repository contains errors"
    ]
    assert not kept(results)["checked"] and not kept(results)["good"]
    assert backup(places, monkeypatch, "exit 0") == 1, "the next night, whose check might miss it"
    assert not any(call.startswith(("check", "prune")) for call in calls(places))
    assert kept(results)["failed"] and not kept(results)["good"]
    assert backup(places, monkeypatch, "exit 0", "check") == 0
    assert any(call == "check --read-data" for call in calls(places))
    assert kept(results)["failed"] == [] and kept(results)["damaged"] == ""
    assert backup(places, monkeypatch, "exit 0") == 0 and kept(results)["good"]


def test_a_repository_that_is_not_reached_is_not_damaged(
    places: Path, monkeypatch: pytest.MonkeyPatch, results: Path
) -> None:
    assert backup(places, monkeypatch, AWAY) == 1
    (failed,) = kept(results)["failed"]
    assert failed.startswith("the repository could not be checked: ") and not kept(results)["damaged"]
    assert backup(places, monkeypatch, "exit 0") == 0, "it is checked by the next one"
    assert any(call.startswith("check") for call in calls(places)) and kept(results)["checked"]


def test_a_check_says_nothing_of_the_last_backup(
    places: Path, monkeypatch: pytest.MonkeyPatch, results: Path
) -> None:
    progress.write(results / "backup.json", {"at": 1, "failed": ["the disk is nearly full"], "good": 0})
    assert backup(places, monkeypatch, "exit 0", "check") == 0
    assert kept(results)["failed"] == ["the disk is nearly full"] and kept(results)["checked"]
    assert kept(results, "backup-check")["failed"] == []


def test_status_names_the_damage() -> None:
    record = {"at": 1000, "good": 1000, "failed": [], "damaged": "restic check: x"}
    (trouble,) = backups.backup(1100, Wanted("/srv/backup", 24, known=True), {"backup": record}).troubles
    assert trouble.text == "the repository is damaged: restic check: x"


def test_whatever_breaks_is_the_result(places: Path, monkeypatch: pytest.MonkeyPatch, results: Path) -> None:
    progress.write(results / "backup.json", {"at": 1, "failed": [], "snapshot": "old"})

    def breaks(_: Backup) -> None:
        raise subprocess.TimeoutExpired("redis-cli", 300)

    found = repository(places, monkeypatch, "exit 0")
    monkeypatch.setattr(Backup, "run", breaks)
    assert program._recorded("run", {"keep": {}}, found) == 1
    (failed,) = kept(results)["failed"]
    assert failed.startswith("TimeoutExpired")


def state_of(places: Path, mark: int | None, result: int) -> str:
    """Return what is printed as the result, with files of these times."""
    (places / "systemctl").write_text("#!/bin/sh\necho ActiveState=inactive\n")
    (places / "systemctl").chmod(0o755)
    text = script("follow_state", "mailstack-backup", "backup", "/run/mailstack-backup")
    for place in ("/run/mailstack-backup", "/var/lib/mailstack"):
        text = text.replace(place, str(places))
    for name, time in (("backup.begun", mark), ("backup.json", result)):
        if time is not None:
            (places / name).write_text('{"failed": []}\n')
            os.utime(places / name, (time, time))
    path = {"PATH": f"{places}:/usr/bin:/bin"}
    done = subprocess.run(["sh"], input=text, capture_output=True, text=True, env=path, check=True)
    return done.stdout.split("\f")[2]


def test_a_result_of_another_run_is_not_shown(places: Path) -> None:
    assert state_of(places, None, 100) == ""  # the host has booted since
    assert state_of(places, 50, 100) == '{"failed": []}\n'
    assert state_of(places, 200, 100) == ""


def test_reach(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program.reach(repository(places, monkeypatch, EMPTY))
    (places / "repository").write_text(str(places / "repo"))
    with pytest.raises(FailureError, match="is its disk mounted"):
        program.reach(repository(places, monkeypatch, EMPTY))
    (places / "repository").unlink()
    with pytest.raises(FailureError, match="Access Denied"):
        program.reach(repository(places, monkeypatch, "echo 'Fatal: Access Denied' >&2; exit 1"))


def test_a_run_is_known_by_its_begin(places: Path) -> None:
    progress.begin("backup")
    assert (places / "backup.begun").exists()
    assert Progress()


def test_a_check_of_the_future_does_not_put_off_the_next_one(
    places: Path, monkeypatch: pytest.MonkeyPatch, results: Path
) -> None:
    """The clock was wrong, as by the battery of a host without NTP."""
    (results / "backup.json").write_text(json.dumps({"checked": 4_000_000_000}))
    assert backup(places, monkeypatch, "") == 0
    assert any(call.startswith("check ") for call in calls(places))
    assert kept(results)["checked"] < 4_000_000_000


def begin(root: Path, state: str, wishes: str) -> subprocess.CompletedProcess[str]:
    """Begin a restore on a host whose unit has this state."""
    (root / "systemctl").write_text(f"#!/bin/sh\necho {state}\n")
    (root / "systemctl").chmod(0o755)
    env = {"PATH": f"{root}:/usr/bin:/bin", "MAILSTACK_ROOT": str(root)}
    text = script("restore_begin", wishes, "")
    return subprocess.run(["sh"], input=text, env=env, text=True, capture_output=True, check=False)


def test_a_restore_is_no_other_one_that_runs(tmp_path: Path) -> None:
    """It would wait for that one, and say that its own mail is back."""
    assert begin(tmp_path, "inactive", '{"user": "alice@example.org"}').returncode == 0
    assert begin(tmp_path, "activating", '{"user": "alice@example.org"}').returncode == 0
    refused = begin(tmp_path, "activating", '{"user": "bob@example.org"}')
    assert (refused.returncode, refused.stderr) == (
        1,
        "another restore is at work on this host: try again after it\n",
    )
    wishes = tmp_path / "var/lib/mailstack/backup/wishes.json"
    assert wishes.read_text() == '{"user": "alice@example.org"}\n'
