"""Runs of backups and restores with a repository that is made up, and with a restic that is a script."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack import Settings
from mailstack.components.backup import BACKUP
from mailstack.components.component import Site
from mailstack.on_host.backup import database, folders, parts, progress, restic, restore, run
from mailstack.on_host.backup.progress import Progress
from mailstack.on_host.backup.restic import FailureError, Repository
from mailstack.on_host.backup.restore import Restore
from mailstack.on_host.backup.run import Backup
from tests.support.sites import site, whole

RESTIC = """#!/bin/sh
echo "$*" >> {calls}
{script}
"""


class Listed:
    """A repository with these snapshots, which notes what is asked of it."""

    def __init__(self, *found: Mapping[str, Any]) -> None:
        self.place, self.host = "/srv/backup", "mail.example.org"
        self.found, self.said = list(found), list[tuple[str, ...]]()

    def say(self, *arguments: str) -> str:
        self.said.append(arguments)
        return ""

    def open(self, *, make: bool = False) -> None:
        """Open it."""

    def snapshots(self) -> list[Mapping[str, Any]]:
        return self.found


def snapshot(identity: str, *tags: str) -> dict[str, Any]:
    return {"id": identity, "time": "2026-11-30T02:00:00Z", "tags": list(tags)}


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let everything be below a directory of the test."""
    monkeypatch.setattr(progress, "RUN", tmp_path)
    monkeypatch.setattr(progress, "PROGRESS", tmp_path / "progress.json")
    monkeypatch.setattr(restic, "KNOWN", tmp_path / "repository")
    monkeypatch.setattr(restic, "_PAUSE", 0)
    monkeypatch.setattr(restore, "WORK", tmp_path / "restore")
    monkeypatch.setattr(restore, "WISHES", tmp_path / "wishes.json")
    monkeypatch.setattr(restore, "DUMPS", tmp_path / "before-restore")
    monkeypatch.setattr(run, "HALF", tmp_path / "restore" / "changed")
    monkeypatch.setattr(run, "STAGE", tmp_path / "stage")
    monkeypatch.setattr(database, "BESIDE", tmp_path / "beside")
    monkeypatch.setattr(parts, "_tomorrow", lambda: "2026-12-01T02:00:00")
    return tmp_path


def repository(places: Path, monkeypatch: pytest.MonkeyPatch, script: str, **more: Any) -> Repository:
    """Return a repository whose restic is this script."""
    program = places / "restic"
    program.write_text(RESTIC.format(calls=places / "calls", script=script))
    program.chmod(0o755)
    path = f"{places}:/usr/bin:/bin"
    monkeypatch.setenv("PATH", path)
    monkeypatch.setattr(Repository, "_variables", lambda self: {"PATH": path})
    values = {"repository": str(places / "repo"), "host": "mail", "password": "", "environment": ""}
    return Repository(values | more)


def calls(places: Path) -> list[str]:
    return (places / "calls").read_text().splitlines()


EMPTY = "case $* in *config*) echo 'Is there a repository at the following location?' >&2; exit 1 ;; esac"


def test_a_repository_is_made_once(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = repository(places, monkeypatch, EMPTY)
    found.open(make=True)
    assert [call.split()[0] for call in calls(places)] == ["cat", "init", "unlock"]
    with pytest.raises(FailureError, match="is gone: is its disk mounted"):
        found.open(make=True)
    assert [call.split()[0] for call in calls(places)] == ["cat", "init", "unlock", "cat"]


def test_a_restore_makes_none(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FailureError, match="there is no repository at"):
        repository(places, monkeypatch, EMPTY).open()


def test_a_bucket_that_does_not_exist_is_not_asked_again(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As restic of Debian 13 does it for a quarter of an hour."""
    said = "Stat(<config/>) returned error, retrying after 1.3s: Stat: The specified bucket does not exist"
    script = f"case $* in *config*) echo '{said}' >&2; exec sleep 300 ;; esac"
    began = time.monotonic()
    repository(places, monkeypatch, script).open(make=True)
    assert [call.split()[0] for call in calls(places)] == ["cat", "init", "unlock"]
    assert time.monotonic() - began < 120


def test_a_server_without_an_answer_is_not_asked_on(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "echo 'retrying after 1.3s: connection refused' >&2; exec sleep 60"
    with pytest.raises(FailureError, match=r"restic cat: no end within 5 s: .* connection refused"):
        repository(places, monkeypatch, script).is_made(within=5)


def test_a_wrong_password_is_no_missing_repository(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = "echo 'Fatal: wrong password or no key found' >&2; exit 1"
    with pytest.raises(FailureError, match="wrong password or no key found"):
        repository(places, monkeypatch, script).open(make=True)
    with pytest.raises(FailureError, match="servers that share one need the same mail_backup_password"):
        repository(places, monkeypatch, script).open(make=True)
    assert len(calls(places)) == 2
    (places / "repository").write_text(str(places / "repo"))
    with pytest.raises(FailureError, match=r"no key found$"):
        repository(places, monkeypatch, script).open(make=True)


def test_why_a_host_lets_nobody_in_is_said(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ssh = ["sh", "-c", "echo 'kept@vault: Permission denied (publickey).' >&2; exit 255"]
    found = repository(places, monkeypatch, "echo 'Fatal: file already closed' >&2; exit 1", ssh=ssh)
    with pytest.raises(FailureError, match="Permission denied"):
        found.open(make=True)


def test_a_lock_of_another_host_is_waited_for(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = f"[ $(wc -l < {places}/calls) -gt 2 ] || {{ echo 'already locked by PID 7' >&2; exit 1; }}"
    found = repository(places, monkeypatch, script)
    assert found.say("check") == "" and len(calls(places)) == 3
    (places / "calls").unlink()
    assert [*found.lines("ls")] == [] and len(calls(places)) == 3
    (places / "calls").unlink()
    monkeypatch.setattr(restic, "WAIT", -1)
    with pytest.raises(FailureError, match="already locked"):
        found.say("check")


def test_files_that_vanish_meanwhile_do_not_fail_a_backup(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = '{"message_type":"status","percent_done":0.5,"files_done":7}'
    summary = '{"message_type":"summary","snapshot_id":"0a1b2c3d"}'
    found = repository(places, monkeypatch, f"echo '{status}'; echo '{summary}'; exit 3")
    seen: list[tuple[float, str]] = []
    made = found.backup(".", cwd="/", watch=lambda share, text: seen.append((share, text)))
    assert (made, seen) == ("0a1b2c3d", [(0.5, "7 files")])
    assert found.unread == ""

    def full(share: float, text: str) -> None:
        raise FailureError("the disk is nearly full")

    with pytest.raises(FailureError, match="nearly full"):
        found.backup(".", cwd="/", watch=full)


def test_snapshots_of_mail_that_no_backup_needs_are_forgotten() -> None:
    found = Listed(
        snapshot("aaaa1111", "mailstack-mail"),
        snapshot("bbbb2222", "mailstack-mail"),
        snapshot("cccc3333", "mailstack", "mail=bbbb"),
        snapshot("dddd4444", "mailstack-mail"),
    )
    keep = {"keep": {"daily": 14, "weekly": 0, "monthly": 12}}
    Backup(keep, found, Progress()).forget()  # type: ignore[arg-type]
    policy, unused = found.said
    assert unused == ("forget", "aaaa1111", "dddd4444")
    assert {"--keep-daily=14", "--keep-monthly=12", "--keep-within=2d"} < set(policy)
    assert not any("weekly" in each for each in policy)


class Full(Backup):
    """A backup for which there is no room until something was removed."""

    def __init__(self, found: Listed, *, needs: str = "prune") -> None:
        super().__init__({"keep": {"daily": 1}}, found, Progress())  # type: ignore[arg-type]
        self.found, self.needs = found, needs

    def _room(self) -> None:
        """Leave the disk of the test alone."""

    def _two(self) -> str:
        if not any(each[0] == self.needs for each in self.found.said):
            raise FailureError("restic backup: write: no space left on device")
        return "aaaa1111"


def test_in_a_full_repository_old_data_are_removed_and_it_is_tried_again(places: Path) -> None:
    found = Listed()
    assert Full(found)._made({}) == "aaaa1111"
    assert [each[0] for each in found.said] == ["forget", "prune"]
    with pytest.raises(FailureError, match=r"no space left.*; also after old backups were forgotten"):
        Full(Listed(), needs="more")._made({})
    damaged = Listed()
    with pytest.raises(FailureError, match=r"no space left.*; nothing is removed while the repository is da"):
        Full(damaged)._made({"damaged": "a file"})
    assert damaged.said == []


def wishes(**more: Any) -> dict[str, Any]:
    return {"at": "", "overwrite": False, **more}


def configured(root: Path, **more: Any) -> dict[str, Any]:
    values: dict[str, Any] = {
        "mail": str(root),
        "services": [],
        "database": None,
        "queue": None,
        "paths": [],
        "owner": "vmail",
    }
    return {**values, **more}


@pytest.mark.parametrize(
    ("found", "at", "expected"),
    [
        ([], "", "has no backup of mail.example.org"),
        ([snapshot("aaaa1111", "mailstack")], "bbbb", "has no backup bbbb"),
        ([snapshot("aaaa1111", "mailstack-mail")], "aaaa", "has no backup aaaa"),
        ([snapshot("aaaa1111", "mailstack", "messages=0")], "", "aaaa1111: this backup has no message"),
    ],
)
def test_a_restore_says_that_there_is_nothing(
    places: Path, found: list[dict[str, Any]], at: str, expected: str
) -> None:
    job = Restore(configured(places / "vmail"), Listed(*found), Progress(), wishes(at=at))  # type: ignore[arg-type]
    with pytest.raises(FailureError, match=expected):
        job.run()


@pytest.mark.parametrize(
    "message", ["example.org/a/Maildir/cur/1.M1:2,S", "example.org/a/sdbox/dbox-Mails/u.1"]
)
def test_mail_that_is_there_is_not_replaced(places: Path, message: str) -> None:
    root = places / "vmail"
    (root / message).parent.mkdir(parents=True)
    (root / message).touch()
    found = Listed(snapshot("aaaa1111", "mailstack", "messages=7"))
    with pytest.raises(FailureError, match="has mail already; the option overwrite puts it aside"):
        Restore(configured(root), found, Progress(), wishes()).run()  # type: ignore[arg-type]
    Restore(configured(root), found, Progress(), wishes())._aside(root)  # type: ignore[arg-type]
    (aside,) = (root / ".before-restore").iterdir()
    assert (aside / message).exists() and not folders.has_mail(root)


def test_steps_that_are_done_are_not_done_again(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done: list[str] = []

    def job(identity: str) -> Restore:
        each = Restore(configured(places / "vmail"), Listed(), Progress(), wishes())  # type: ignore[arg-type]
        each._begin(snapshot(identity))
        return each

    (places / "vmail").mkdir()
    job("aaaa")._once("database", "", lambda: done.append("a"))
    job("aaaa")._once("database", "", lambda: done.append("a again"))
    assert done == ["a"]
    job("bbbb")._once("database", "", lambda: done.append("b"))
    assert done == ["a", "b"]


@pytest.mark.parametrize(
    "place",
    [
        "/var/vmail/backup",
        "/var/vmail",
        "/etc/backup",
        "/var/spool/postfix/backup",
        "/var/lib/mailstack/secrets/backup",
        "/var/mail/backup",
    ],
)
def test_a_repository_is_not_in_what_it_keeps(place: str) -> None:
    def of(repository: str) -> Site:
        here = site(Settings(mail_hostname="mail.example.org", mail_backup_repository=repository))
        return replace(here, components=tuple(whole(here)))

    with pytest.raises(OperationValueError, match=f"mail_backup_repository = '{place}': is in"):
        BACKUP.check(of(place))
    BACKUP.check(of("/var/vmail2"))


def test_a_result_is_for_root_alone(places: Path) -> None:
    progress.write(places / "backup.json", {"at": 1, "failed": []})
    assert (places / "backup.json").stat().st_mode & 0o777 == 0o600
    assert json.loads((places / "backup.json").read_text()) == {"at": 1, "failed": []}


def test_paths_below_others_are_kept_once() -> None:
    assert run._outer(["/etc/postsrsd.secret", "/var/mail", "/etc"]) == ["/var/mail", "/etc"]


def test_only_the_work_of_restores_is_left_out(places: Path) -> None:
    asked: list[str] = []

    class Noted(Listed):
        def backup(self, *arguments: str, **_: Any) -> str:
            asked.extend(arguments)
            return "aaaa1111"

    Backup({}, Noted(), Progress())._live("/srv/a*b")  # type: ignore[arg-type]
    left_out = {asked[number + 1] for number, each in enumerate(asked) if each == "--exclude"}
    assert {r"/srv/a\*b/.before-restore", r"/srv/a\*b/.restoring"} < left_out
    assert not left_out & {".before-restore", ".restoring"}


class Mailless(Backup):
    """A run on a server whose first message comes after so many looks at its mail."""

    def __init__(self, root: Path, comes_after: int, *before: Mapping[str, Any]) -> None:
        super().__init__({}, Listed(*before), Progress())  # type: ignore[arg-type]
        self.root, self.left = root, comes_after

    def _live(self, root: str) -> str:
        assert list(self.root.iterdir()), "restic refuses that"
        return "bbbb2222"

    def _complete(self, root: str, mail: str) -> None:
        self.left -= 1
        if not self.left:
            (self.root / "example.org").mkdir()
        self.counts = {"messages": int(self.left <= 0)}


@pytest.mark.parametrize(("comes_after", "snapshot"), [(2, ""), (1, "bbbb2222")])
def test_a_server_that_never_had_mail_is_kept(places: Path, comes_after: int, snapshot: str) -> None:
    root = places / "vmail"
    (root / ".restoring").mkdir(parents=True)
    assert Mailless(root, comes_after)._mail(str(root)) == snapshot


def test_mail_on_a_disk_that_is_not_mounted_is_no_empty_mail(places: Path) -> None:
    """Such backups would look right, and take the place of those with the mail."""
    root, before = places / "vmail", snapshot("aaaa1111", "mailstack-mail")
    root.mkdir()
    with pytest.raises(FailureError, match=f"^{root} is empty, and earlier backups have mail: is its disk m"):
        Mailless(root, 9, before)._mail(str(root))
    (root / "example.org").mkdir()
    assert Mailless(root, 9, before)._mail(str(root)) == "bbbb2222"


DUMP = """CREATE FUNCTION f() RETURNS text LANGUAGE sql AS $$
  GRANT SELECT ON TABLE x TO nobody_in_text;
$$;
ALTER TABLE public.mail_users OWNER TO mailowner;
COPY public.mail_users (email, note) FROM stdin;
ALTER TABLE x OWNER TO nobody_in_rows;
\\.
GRANT SELECT ON TABLE public.mail_users TO "My ""own"" one";
GRANT USAGE ON SCHEMA public TO PUBLIC;
REVOKE ALL ON TABLE public.x FROM old;
ALTER DEFAULT PRIVILEGES FOR ROLE mailowner IN SCHEMA public GRANT SELECT ON TABLES TO mailreader;
"""


def test_roles_that_are_missing_are_made(
    places: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "database.sql").write_text(DUMP)
    found = database.roles(tmp_path / "database.sql")
    assert found == {"mailowner", 'My "own" one', "old", "mailreader"}
    given: list[bytes] = []
    monkeypatch.setattr(database, "_as_postgres", lambda program: [program])
    monkeypatch.setattr(database, "_run", lambda command, what, *, before, given: taken(before))

    def taken(before: bytes) -> None:
        given.append(before)

    here = database.database({"engine": "postgresql", "name": "mail", "port": 5432})
    here.load(tmp_path, lambda: None)
    (text,) = map(bytes.decode, given)
    assert 'CREATE ROLE "My ""own"" one" NOLOGIN' in text and "rolname = 'mailowner'" in text
