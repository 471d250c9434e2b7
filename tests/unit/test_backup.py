"""The component of backups, its settings, what is said of them, and what restic says. No host is asked."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack import Settings
from mailstack.backup.printed import as_text, brought_back, made
from mailstack.components.backup import BACKUP, CONFIGURATION
from mailstack.facts.platform import RELEASES
from mailstack.files import File
from mailstack.on_host.backup import restic, room, run, said
from mailstack.overview import backups
from mailstack.overview.backups import Wanted
from tests.support.sites import files, site, whole

ON: dict[str, Any] = {"mail_hostname": "mail.example.org", "mail_backup_repository": "/srv/backup"}
SFTP = {
    "mail_backup_repository": "sftp:kept@vault.example:/srv/mail",
    "mail_backup_ssh_host_key": "ssh-ed25519 AAAA",
}
S3 = {
    "mail_backup_repository": "s3:https://s3.example/bucket/mail",
    "mail_backup_s3_key_id": "ID",
    "mail_backup_s3_secret": "never in a file",
}
NOW = 1_800_000_000


def written(**more: Any) -> dict[str, File]:
    settings = Settings(**(ON | more))
    return {each.path: each for each in files(BACKUP, settings, RELEASES[1]) if isinstance(each, File)}


def configuration(**more: Any) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(written(**more)[CONFIGURATION].content or "")
    return found


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_all_declared_state_is_kept(engine: str) -> None:
    here = site(Settings(**(ON | {"mail_db_engine": engine})))
    values = configuration(mail_db_engine=engine)
    declared = {state for each in whole(here) for state in each.state(here)}
    assert declared
    for state in declared:
        if state.holds == "database":
            assert values["database"]["name"] == state.path
        elif state.holds == "queue":
            assert values["queue"] == state.path
        else:
            assert state.path == values["mail"] or state.path in values["paths"], state


def test_the_rest_of_etc_is_kept_and_not_brought_back() -> None:
    values = configuration()
    assert "/etc" in values["paths"] and values["only_kept"] == ["/etc"]
    assert run._outer(["/etc/a", "/etc", "/etcetera"]) == ["/etc", "/etcetera"]


def test_no_secret_is_in_a_file_of_this_machine() -> None:
    for entry in written(mail_backup_password="a pass word", **S3).values():
        assert "never in a file" not in (entry.content or "") and "a pass word" not in (entry.content or "")
    for path in ("/etc/mailstack/backup.password", "/etc/mailstack/backup.environment", CONFIGURATION):
        assert written(mail_backup_password="a pass word", **S3)[path].mode == 0o600


def test_ssh_asks_nobody_and_knows_its_host() -> None:
    values = configuration(**SFTP)
    assert values["ssh"][0] == "ssh" and values["ssh"][-3:] == ["kept@vault.example", "-s", "sftp"]
    assert {"StrictHostKeyChecking=yes", "BatchMode=yes"} <= set(values["ssh"])
    assert written(**SFTP)["/etc/mailstack/backup.known_hosts"].content == "vault.example ssh-ed25519 AAAA\n"
    assert configuration()["ssh"] == []


def test_without_a_repository_nothing_runs() -> None:
    off = site(Settings(mail_hostname="mail.example.org"))
    gone = {each.path for each in BACKUP.files(off, RELEASES[1]) if isinstance(each, File)}
    there = {path for path in written() if "/on_host/" not in path and not path.startswith("/etc/systemd")}
    assert there == gone
    assert all(each.content is None for each in BACKUP.files(off, RELEASES[1]) if isinstance(each, File))
    for unit in there:
        if unit.endswith((".service", ".timer")):
            assert unit in BACKUP.before_files(off, RELEASES[1])
    assert not BACKUP.packages(off, RELEASES[1]) and not BACKUP.units(off, RELEASES[1])
    assert not BACKUP.creates(off, RELEASES[1])


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"mail_backup_repository": "backup"}, "mail_backup_repository = 'backup'.*allowed: the path of a"),
        ({"mail_backup_repository": "/srv/../etc"}, "allowed: the path of a directory"),
        ({"mail_backup_repository": "s3:https://key:secret@s3.example/b"}, "has a password in it"),
        (
            {"mail_backup_repository": None, "mail_backup_hours": 6},
            "mail_backup_hours: needs mail_back",
        ),
        ({"mail_backup_hours": 5}, "mail_backup_hours = 5: .*allowed: hours: 1, 2, 3, 4, 6, 8, 12, 24"),
        ({"mail_backup_keep_days": 0}, "mail_backup_keep_days = 0"),
        ({"mail_backup_repository": "sftp:a@b:/c"}, "mail_backup_ssh_host_key: is required"),
        ({"mail_backup_repository": "s3:https://s3.example/b"}, "mail_backup_s3_key_id: is required"),
        ({"mail_backup_s3_key_id": "ID"}, "begins with s3:"),
        ({**SFTP, "mail_backup_ssh_host_key": "AAAA"}, "allowed: a key as in known_hosts"),
    ],
)
def test_refused_settings(values: dict[str, Any], expected: str) -> None:
    with pytest.raises(OperationValueError, match=expected) as caught:
        Settings(**(ON | values))
    assert "secret@" not in str(caught.value)


def record(**more: Any) -> dict[str, Any]:
    return {"at": NOW - 3600, "good": NOW - 3600, "failed": [], "messages": 2, "bytes": 2048, **more}


@pytest.mark.parametrize(
    ("records", "expected"),
    [
        ({"backup": record()}, []),
        ({}, ["there is none yet"]),
        ({"backup": record(good=NOW - 49 * 3600)}, ["the last one is 2 days old"]),
        (
            {"backup": record(failed=["it is full"])},
            ["the last one failed: it is full"],
        ),
    ],
)
def test_the_status_of_backups(records: dict[str, Any], expected: list[str]) -> None:
    section = backups.backup(NOW, Wanted("/srv/backup", 24, known=True), records)
    assert [found.text.startswith(text) for found, text in zip(section.troubles, expected, strict=True)] == [
        True
    ] * len(expected)
    assert all(trouble.advice for trouble in section.troubles)


def test_a_password_that_only_the_host_has_needs_a_person() -> None:
    (trouble,) = backups.backup(NOW, Wanted("/srv/backup", 24), {"backup": record()}).troubles
    assert "mailstack.backup.password" in trouble.advice
    known = {"backup": record(), "backup-password": {"at": NOW}}
    assert not backups.backup(NOW, Wanted("/srv/backup", 24), known).troubles


def test_what_is_printed() -> None:
    listed = [{"id": "0a1b2c3d", "at": "2026-01-31T02:00:00", "messages": 1200, "bytes": 4096, "queued": 0}]
    assert as_text("mail", listed).splitlines()[-1].split() == (
        ["0a1b2c3d", "2026-01-31", "02:00:00", "1,200", "4.0", "KiB", "0"]
    )
    assert as_text("mail", []) == "mail: there is no backup\n"
    assert made(record(snapshot="0a1b2c3d", seconds=7)) == "backup 0a1b2c3d: 2 messages, 2.0 KiB; 7 s"
    back = {"snapshot": "0a1b2c3d", "made": "2026-01-31T02:00:00", "seconds": 9, "messages": 2, "held": 1}
    assert "2 messages; 1 that waited" in brought_back(back) and "postsuper -H ALL" in brought_back(back)


@pytest.mark.parametrize(
    ("line", "path"),
    [
        ("ignoring error for /a/cur/1.M1:2,S: ciphertext verification failed\n", "/a/cur/1.M1:2,S"),
        ('{"message_type":"error","error":{"message":"x"},"during":"restore","item":"/a/u.1"}', "/a/u.1"),
        ("Load(<data/0a1b>, 0, 0) returned error, retrying", None),
        ("Summary: Restored 3 files", None),
    ],
)
def test_files_that_could_not_be_restored_are_known(line: str, path: str | None) -> None:
    assert said.unreadable(line) == path


def test_errors_are_one_line() -> None:
    text = "repository opened\nFatal: unable to open config file: stat /b/config: no such file or directory\n"
    text += "Is there a repository at the following location?\n/b\n"
    assert said.told(io.StringIO(text)).startswith("Fatal: unable to open config file")
    assert restic.MISSING in said.told(io.StringIO(text))
    assert said.told(io.StringIO("")) == "it failed without a word"
    locked = (
        "unable to create lock in backend: repository is already locked exclusively by PID 8 on b by root\n"
        "lock was created at 2026-11-30 17:27:15 (7s ago)\nstorage ID 068cab44\n"
        "the `unlock` command can be used to remove stale locks\n"
    )
    assert restic.LOCKED in said.told(io.StringIO(locked))
    trace = "write lock: no space left on device\ngithub.com/restic/x.F\n\t/build/x.go:7\n"
    trace += "unable to create lock in backend\n"
    full = said.told(io.StringIO(trace))
    assert full == "write lock: no space left on device unable to create lock in backend"
    assert room.is_missing(restic.FailureError(full))


@pytest.mark.parametrize(
    ("time", "whole"),
    [
        ("2026-11-30T00:19:36.123456789Z", "2026-11-30T00:19:36+00:00"),
        ("2026-11-30T00:19:36.5+01:00", "2026-11-30T00:19:36+01:00"),
        ("2026-11-30T00:19:36Z", "2026-11-30T00:19:36+00:00"),
    ],
)
def test_times_of_restic(time: str, whole: str) -> None:
    assert run._seconds(time) == whole


def test_tags_tell_what_belongs_together() -> None:
    snapshot = {"tags": ["mailstack", "mail=0a1b2c3d", "messages=7"]}
    assert run.mail_of(snapshot) == "0a1b2c3d" and run.tag_of(snapshot, "messages") == "7"
    assert run.mail_of({"tags": None}) == ""


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        ('{"message":"read /etc/a: input/output error"}', "/etc/a: read /etc/a: input/output error"),
        ('{"Op":"read","Path":"/etc/a","Err":5}', "/etc/a: input/output error"),
        ('{"message":"lstat /etc/a: no such file or directory"}', ""),
        ('{"Op":"lstat","Path":"/etc/a","Err":2}', ""),
    ],
)
def test_a_file_that_vanishes_is_no_fault(error: str, expected: str) -> None:
    line = f'{{"message_type":"error","error":{error},"during":"archival","item":"/etc/a"}}\n'
    warning = "Warning: at least one source file could not be read\n"
    assert said.unread(io.StringIO(line + warning)) == expected
