"""The mail of one user is brought back; the repository, restic and Dovecot are made up."""

from __future__ import annotations

import inspect
import json
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack.backup.restore import _address, _folder
from mailstack.on_host.backup import doveadm, homing, parts, users
from mailstack.on_host.backup.database import Account, Database
from mailstack.on_host.backup.placing import Placer
from mailstack.on_host.backup.progress import Progress
from mailstack.on_host.backup.restic import FailureError
from mailstack.on_host.backup.users import UserRestore
from tests.unit.test_backup_mail import keep, write
from tests.unit.test_backup_runs import places, snapshot
from tests.unit.test_restore_faults import DATABASE, Told, damaging

__all__ = ["places"]

HOME = "example.org/a/alice"
OTHER = "example.org/a/bob"


class Host:
    """A host whose backup has two users with deep homes, and its Dovecot."""

    def __init__(self, places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root, self.folders, self.mails = places / "vmail", dict[str, int](), 1
        self.home = self.root / HOME
        self.home.mkdir(parents=True)
        found = snapshot("aaaa1111bbbb", "mailstack", "mail=mmmm", "messages=2")
        self.repository = Told(places / "kept", found)
        homes = {"": str(self.root), "alice@example.org": str(self.home)}
        write(places / "kept/aaaa1111bbbb", "homes.json", json.dumps(homes))
        for home in (HOME, OTHER):
            write(places / "kept/mmmm", f"{home}/Maildir/cur/1.M1.host:2,S", f"of {home}")
            (places / "kept/mmmm" / home / "Maildir/new").mkdir()
        keep(places / "kept/mmmm", places / "kept/aaaa1111bbbb/mail", set())
        shutil.rmtree(places / "kept/mmmm" / OTHER)
        monkeypatch.setattr(users, "PLACE", places)
        monkeypatch.setattr(users, "WHOLE_RESTORE", places / "restore")
        monkeypatch.setattr(parts, "give", lambda *_: None)
        me = pwd.getpwuid(os.getuid())
        monkeypatch.setattr(pwd, "getpwnam", lambda _: me)
        monkeypatch.setattr(users, "as_user", put)
        monkeypatch.setattr(users, "placed", lambda root, source, owner: Placer(root, source).place())
        monkeypatch.setattr(users, "account_of", lambda _: Account(str(self.home), ""))
        monkeypatch.setattr(users, "counted", self.counted)
        monkeypatch.setattr(users, "imported", self.imported)
        monkeypatch.setattr(subprocess, "run", lambda *_, **__: None)

    def counted(self, user: str, masks: list[str]) -> int:
        return sum(self.folders.get(mask, 0) for mask in masks)

    def imported(self, user: str, source: str, into: str, query: list[str]) -> None:
        self.folders[f"{into}/{query[1]}" if query[1:] else into] = self.mails

    def run(self, folder: str = "") -> dict[str, Any]:
        wanted = {"mail": str(self.root), "owner": "vmail", "database": DATABASE}
        asked = {"user": "alice@example.org", "folder": folder, "at": ""}
        return UserRestore(wanted, self.repository, Progress(), asked).run()  # type: ignore[arg-type]


def put(owner: str, module: str, directory: Path, lines: Iterator[str]) -> dict[str, bool]:
    """Do what the program does as the user of the mail."""
    assert module == "homing"
    told = json.loads(next(lines))
    return homing.put(Path(told["source"]), Path(told["home"]), directory)


@pytest.fixture
def host(places: Path, monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(places, monkeypatch)


def test_a_home_that_lies_deep_is_back(host: Host) -> None:
    shutil.rmtree(host.root / "example.org")
    result = host.run()
    assert (result["messages"], result["missing"], result["failed"]) == (1, 0, [])
    assert (host.home / "Maildir/cur/1.M1.host:2,S").read_text() == f"of {HOME}"
    assert not list(host.root.glob(".*"))


def test_a_disabled_user_without_mail_gets_it_back(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"alice@example.org": Account(str(host.home), "maildir")}
    monkeypatch.setattr(users, "account_of", lambda _: None)  # Dovecot does not know the user
    monkeypatch.setattr(Database, "accounts", lambda *_: known)
    assert host.run()["messages"] == 1
    assert (host.home / "Maildir/cur/1.M1.host:2,S").read_text() == f"of {HOME}"
    with pytest.raises(FailureError, match=r"alice@example\.org is disabled, .* enable"):
        host.run()
    known.clear()
    with pytest.raises(FailureError, match=r"there is no user alice.*mailstack\.accounts\.user creates it"):
        host.run()


def test_a_home_without_a_list_fails(host: Host, places: Path) -> None:
    for file in (places / "kept/aaaa1111bbbb/mail/names").rglob("*.names"):
        file.unlink()
    with pytest.raises(FailureError, match=r"no list of messages of alice@example\.org"):
        host.run()


def test_mail_that_comes_meanwhile_is_put_aside(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: write(host.home, "Maildir/new/9.M9.host", "came"))
    aside = Path(host.run()["aside"])
    assert (aside / "Maildir/new/9.M9.host").read_text() == "came" and aside.parent.name == ".before-restore"


def test_what_a_killed_restore_had_put_aside_stays_and_the_next_one_does_all(
    host: Host, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(places / "kept/mmmm", f"{HOME}/sieve/mine.sieve", "keep;")
    write(places / "kept/aaaa1111bbbb", f"mail/tree/{HOME}/sieve/mine.sieve", "keep;")
    write(host.home, "sieve/other.sieve", "stop;")
    rename = Path.rename

    def killed(self: Path, target: Path) -> Path:
        if self.parts[-2:] == ("alice", "Maildir"):
            raise KeyboardInterrupt
        return rename(self, target)

    with monkeypatch.context() as broken:
        broken.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            host.run()
    assert [each.read_text() for each in host.root.rglob("other.sieve")] == ["stop;"]
    assert host.run()["messages"] == 1
    assert (host.home / "Maildir/cur/1.M1.host:2,S").exists()
    assert (host.home / "sieve/mine.sieve").read_text() == "keep;"
    assert [each.read_text() for each in host.root.rglob("other.sieve")] == ["stop;"]


def test_filters_are_put_aside_if_they_are_others(host: Host, places: Path) -> None:
    keep_aside = host.root / ".before-restore"
    for text, aside in (("keep;", False), ("stop;", True)):
        shutil.rmtree(host.home / "Maildir", ignore_errors=True)
        write(places / "kept/mmmm", f"{HOME}/sieve/mine.sieve", "keep;")
        write(places / "kept/aaaa1111bbbb", f"mail/tree/{HOME}/sieve/mine.sieve", "keep;")
        write(host.home, "sieve/mine.sieve", text)
        assert bool(host.run()["aside"]) is aside and keep_aside.exists() is aside
    assert (host.home / "sieve/mine.sieve").read_text() == "keep;"


def test_what_the_user_of_the_mail_can_t_read_is_kept_aside(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root's directory in a home, which root would delete otherwise."""
    write(host.home, "sieve/of-root/kept", "precious")
    (host.root.parent / "kept/mmmm" / HOME / "sieve").mkdir()
    (host.root.parent / "kept/aaaa1111bbbb/mail/tree" / HOME / "sieve").mkdir(parents=True)
    scandir = os.scandir

    def forbidden(path: Any) -> Any:
        if homing.__name__ in caller() and Path(path).name == "of-root":
            raise PermissionError(13, "Permission denied", path)
        return scandir(path)

    def caller() -> list[str]:
        return [each.frame.f_globals["__name__"] for each in inspect.stack()]

    monkeypatch.setattr(os, "scandir", forbidden)
    aside = Path(host.run()["aside"])
    assert (aside / "sieve/of-root/kept").read_text() == "precious"


def test_a_directory_that_can_t_be_moved_is_named_before_anything_is_changed(
    host: Host, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("mine", "sieve"):
        write(places / "kept/mmmm", f"{HOME}/{name}/new", "x")
        write(places / "kept/aaaa1111bbbb", f"mail/tree/{HOME}/{name}/new", "x")
        write(host.home, f"{name}/old", "y")
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).name != "sieve")
    with pytest.raises(PermissionError, match=r"sieve must belong to .*, who must be able to write there"):
        host.run()
    assert [each.read_text() for each in host.home.rglob("*") if each.is_file()] == ["y", "y"]


def test_a_home_that_is_a_link_to_where_nothing_can_be_written_is_named(
    host: Host, places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.home.rmdir()
    (places / "of-root").mkdir()
    host.home.symlink_to(places / "of-root")
    monkeypatch.setattr(os, "access", lambda path, _: Path(path).resolve() != places / "of-root")
    with pytest.raises(PermissionError, match=r"\S+ must belong to .*, who must be able to write there"):
        host.run()
    assert not any((places / "of-root").iterdir())


def test_what_is_printed_is_what_came(host: Host) -> None:
    write(host.home, "Maildir/cur/5.M5.host:2,", "here")
    host.mails = 3
    result = host.run("Lists")
    assert (result["messages"], result["into"]) == (3, "Restored 2026-11-30 aaaa1111")
    with pytest.raises(FailureError, match=r"has the folder Restored .* already"):
        host.run("Lists")
    host.mails = 0
    with pytest.raises(FailureError, match="the backup has no folder Lost, or no message in it"):
        host.run("Lost")


def test_messages_whose_index_is_damaged_are_found(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    called: list[tuple[str, ...]] = []
    monkeypatch.setattr(users, "resynced", lambda *which: called.append(which))
    monkeypatch.setattr(users, "written", damaging(parts.written))
    assert host.run()["failed"] and called == [("-u", "alice@example.org")]


def test_a_restore_of_the_whole_host_goes_first(host: Host, places: Path) -> None:
    write(places, "restore/of", "aaaa")
    assert host.run()["messages"] == 1 and not (places / "restore").exists()
    write(places, "restore/changed")
    with pytest.raises(FailureError, match=r"half restored: mailstack\.restore goes on"):
        host.run()


@pytest.mark.parametrize("generation", ["2.3", "2.4"])
def test_a_quota_does_not_stop_it(places: Path, monkeypatch: pytest.MonkeyPatch, generation: str) -> None:
    version = "dovecot_config_version = 2.4.1\n" if generation == "2.4" else ""
    monkeypatch.setattr(doveadm, "DOVECOT", write(places, "server.conf", f"{version}# settings\n"))
    monkeypatch.setattr(doveadm, "RUN", places)
    called: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        called.append(command)
        counts = "Mailbox\tmessages\nRestored x\t4\nRestored x/a\t3\n"
        said = "quota acl fts\n" if command[0] == "doveconf" else counts
        return subprocess.CompletedProcess(command, 0, said, "")

    monkeypatch.setattr(subprocess, "run", run)
    assert doveadm.counted("alice@example.org", ["Restored x", "Restored x/*"]) == 7
    assert called[-1][:3] == ["doveadm", "-c", str(places / "dovecot.conf")]
    text = (places / "dovecot.conf").read_text()
    assert f"!include {places}/server.conf" in text
    assert ("mail_plugins = acl fts\n" if generation == "2.3" else "mail_plugins {\n  quota = no\n}") in text


def test_a_folder_that_the_backup_does_not_have_is_no_error_of_doveadm(
    places: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doveadm, "DOVECOT", write(places, "server.conf", "dovecot_config_version = 2.4.1\n"))
    monkeypatch.setattr(doveadm, "RUN", places)
    said = f"doveconf: Warning: {'long ' * 100}\ndoveadm(alice): Error: Mailbox Lost: Mailbox doesn't exist\n"
    failed = subprocess.CompletedProcess("", 68, "", said)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: failed)
    doveadm.imported("alice@example.org", "sdbox:/b", "Restored x", ["mailbox", "Lost"])
    with pytest.raises(
        FailureError, match=r"^doveadm import: doveadm\(alice\): Error: Mailbox Lost: Mailbox"
    ):
        doveadm.imported("alice@example.org", "sdbox:/b", "Restored x", ["all"])


def test_addresses_are_as_in_the_database() -> None:
    assert _address("Alice@Example.org") == "alice@example.org"
    for wrong in ("al*@example.org", "alice"):
        with pytest.raises(OperationValueError, match=r"user = "):
            _address(wrong)


def test_a_folder_is_one() -> None:
    assert _folder("Lists/50 %") == "Lists/50 %"
    with pytest.raises(OperationValueError, match=r"without \* and \?"):
        _folder("Lis*")
