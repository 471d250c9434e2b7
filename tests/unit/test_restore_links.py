"""Who runs code as the user of the mail puts links where a restore works as root: they lead it nowhere."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from mailstack.on_host.backup import folders, reached, restore, state, users
from mailstack.on_host.backup.folders import ASIDE, WORK
from mailstack.on_host.backup.restic import FailureError
from tests.unit import test_restore_faults, test_restore_user
from tests.unit.test_backup_mail import MAILDIR, write
from tests.unit.test_backup_runs import places

__all__ = ["places"]

WHOLE, USER = test_restore_faults.Host, test_restore_user.Host


@pytest.fixture
def elsewhere(places: Path) -> Path:
    """Return a directory that stands for one of root's, such as /etc."""
    made = places / "etc"
    write(made, "shadow", "root:*:1")
    return made


def untouched(elsewhere: Path) -> bool:
    return [each.name for each in elsewhere.iterdir()] == ["shadow"]


def test_a_link_in_the_place_of_the_work_of_a_whole_restore(
    places: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    host = WHOLE(places, monkeypatch)
    (host.root / WORK).symlink_to(elsewhere)
    assert host.job().run()["messages"] == 1
    assert host.mail() == test_restore_faults.OLD and untouched(elsewhere)


def test_a_link_that_comes_as_restic_begins(
    places: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    host = WHOLE(places, monkeypatch)
    read = host.repository.restore

    def raced(identity: str, target: Path, *only: str) -> list[str]:
        if identity == "mmmm":
            assert target.lstat().st_mode & 0o170000 == 0o040000, "restic takes no link as its target"
            (host.root / WORK).rename(host.root / "kept")
            (host.root / WORK).symlink_to(elsewhere)
        return read(identity, target, *only)

    monkeypatch.setattr(host.repository, "restore", raced)
    # it follows the link, as a user who can write nothing there
    monkeypatch.setattr(restore, "placed", test_restore_faults.fail)
    with pytest.raises(FailureError, match="it breaks"):
        host.job().run()
    assert untouched(elsewhere) and (host.root / "kept" / MAILDIR / "cur/1.M1.host:2,S").exists()


def test_work_that_can_t_be_removed_is_named(places: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Such as an immutable file, or a mount."""
    host = WHOLE(places, monkeypatch)
    write(host.root, f"{WORK}/left")
    monkeypatch.setattr(shutil, "rmtree", lambda *_, **__: None)
    with pytest.raises(FailureError, match=r"\.restoring can't be emptied: what keeps it"):
        host.job().run()


def test_a_link_in_the_place_of_the_mail_that_was_read(
    places: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    host = WHOLE(places, monkeypatch)
    job = host.job()
    (host.root / WORK).symlink_to(elsewhere)
    with pytest.raises(FailureError, match=r"\.restoring is a link or a file: remove it"):
        job._swap(host.root)
    assert untouched(elsewhere)


@pytest.mark.parametrize("kind", [WHOLE, USER])
def test_a_link_in_the_place_of_what_was_put_aside(
    places: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Path, kind: Any
) -> None:
    host = kind(places, monkeypatch)
    (host.root / ASIDE).symlink_to(elsewhere)
    with pytest.raises(FailureError, match=r"\.before-restore is a link or a file: remove it"):
        host.job().run() if kind is WHOLE else host.run()
    assert untouched(elsewhere) and getattr(host, "called", []) == []


def test_a_link_in_the_place_of_the_work_for_a_user(
    places: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    host = USER(places, monkeypatch)
    (host.root / WORK).symlink_to(elsewhere)
    assert host.run()["messages"] == 1 and untouched(elsewhere)


def test_what_is_in_a_home_is_changed_by_the_user_of_the_mail_alone(
    places: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    """A home may be a link to /etc, and have a file ld.so.preload in the backup."""
    host = USER(places, monkeypatch)
    host.home.rmdir()
    host.home.symlink_to(elsewhere)
    called: list[str] = []

    def as_user(owner: str, module: str, directory: Path, lines: Iterator[str]) -> dict[str, bool]:
        called.extend((owner, module, str(json.loads(next(lines))["home"])))
        return {"aside": False}

    monkeypatch.setattr(users, "as_user", as_user)
    host.run()
    assert called == ["vmail", "homing", str(host.home)] and untouched(elsewhere)


def test_a_link_in_the_place_of_the_directory_for_what_was_there(
    places: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    """The user of the mail may own the directory above it."""
    host = USER(places, monkeypatch)
    write(host.home, "sieve/mine.sieve", "keep;")
    made = tempfile.mkdtemp

    def raced(**how: Any) -> str:
        path = Path(made(**how))
        path.rmdir()
        path.symlink_to(elsewhere)
        return str(path)

    monkeypatch.setattr(tempfile, "mkdtemp", raced)
    with pytest.raises(FailureError, match="is a link or a file: remove it"):
        host.run()
    assert untouched(elsewhere) and (host.home / "sieve/mine.sieve").exists()


def test_links_get_no_owner_of_what_they_lead_to(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    root = tmp_path / "given"
    for name in ("a/one", "b/two"):
        write(root, name)
    (root / "link").symlink_to(elsewhere)
    given: list[int] = []
    swapped: list[str] = []

    def chown(path: Any, uid: int, gid: int, **how: Any) -> None:
        given.append(os.stat(path, **how).st_ino)  # noqa: PTH116 - as chown does
        for name in ("a", "b"):
            if path == name and not swapped:  # before anything in it was given
                swapped.append(name)
                other = root / ("b" if name == "a" else "a")
                shutil.rmtree(other)
                other.symlink_to(elsewhere)

    monkeypatch.setattr(pwd, "getpwnam", lambda _: pwd.getpwuid(os.getuid()))
    monkeypatch.setattr(os, "chown", chown)
    reached.give(root, "vmail")
    assert swapped and root.stat().st_ino in given
    assert not {each.stat().st_ino for each in (elsewhere, elsewhere / "shadow")} & {*given}


def test_a_link_where_a_copy_is_written(tmp_path: Path, elsewhere: Path) -> None:
    """The database of Redis is in a directory that its system user owns."""
    source = write(tmp_path, "backup/mailstack.rdb", "learned")
    (tmp_path / "redis").mkdir()
    (tmp_path / "redis/.copied.new").symlink_to(elsewhere / "shadow")
    folders.copy(source, tmp_path / "redis/mailstack.rdb")
    assert (elsewhere / "shadow").read_text() == "root:*:1"
    assert (tmp_path / "redis/mailstack.rdb").read_text() == "learned"
    assert not (tmp_path / "redis/mailstack.rdb").is_symlink()


def test_a_link_in_a_directory_of_a_service(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, elsewhere: Path
) -> None:
    monkeypatch.setattr(os, "chown", lambda *_, **__: None)
    write(tmp_path, "backup/inner/new", "of the service")
    (tmp_path / "disk").mkdir()
    (tmp_path / "state").symlink_to(tmp_path / "disk")  # the administrator's
    (tmp_path / "state/inner").symlink_to(elsewhere)
    state.put(tmp_path / "backup", tmp_path / "state", {"users": {}, "groups": {}})
    assert untouched(elsewhere)
    assert (tmp_path / "disk/inner/new").read_text() == "of the service"
