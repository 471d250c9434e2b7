"""Copies of live mail: nothing is lost by a rename, and a tree is made equal to them again."""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mailstack.on_host.backup.folders import Folder, fingerprint, folders, is_message, key, place
from mailstack.on_host.backup.keeping import Keeper
from mailstack.on_host.backup.placing import Placer

MAILDIR = "example.org/alice.1/Maildir"
DBOX = "example.org/bob.2/mail/mailboxes/INBOX/dbox-Mails"


def write(root: Path, path: str, text: str = "", at: int = 1_700_000_000) -> Path:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text or path)
    os.utime(file, (at, at))
    return file


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Return a mail tree in both formats."""
    root = tmp_path / "vmail"
    for name in ("cur/1.M1.host,S=5:2,S", "cur/2.M2.host:2,", "new/3.M3.host"):
        write(root, f"{MAILDIR}/{name}", f"mail {name}")
    for name in ("cur", "new", "tmp"):
        (root / MAILDIR / ".Empty" / name).mkdir(parents=True)
    write(root, f"{MAILDIR}/tmp/4.half")
    write(root, f"{MAILDIR}/dovecot-uidlist", "3 V1 N4")
    write(root, f"{MAILDIR}/dovecot.index.cache")
    write(root, f"{MAILDIR}/fts-flatcurve/index.1/docdata")
    write(root, "example.org/alice.1/sieve/mine.sieve", "keep;")
    (root / "example.org/alice.1/.dovecot.sieve").symlink_to("sieve/mine.sieve")
    for number in (1, 2):
        write(root, f"{DBOX}/u.{number}", f"dbox {number}")
    write(root, f"{DBOX}/dovecot.index", "index")
    write(root, f"{DBOX}/dovecot.index.log", "log")
    write(root, ".before-restore/20260101-000000/x/cur/9.old:2,S")
    return root


def tree(root: Path) -> dict[str, str]:
    """Return the content of all files that a backup has."""
    left_out = ("/tmp/", "fts-flatcurve", ".before-restore", "index.cache")
    return {
        str(path.relative_to(root)): str(path.readlink()) if path.is_symlink() else path.read_text()
        for path in sorted(root.rglob("*"))
        if (path.is_file() or path.is_symlink()) and not any(text in str(path) for text in left_out)
    }


def snapshot(root: Path, target: Path) -> set[str]:
    """Copy the tree as restic would, and return the fingerprints of the messages."""
    shutil.copytree(root, target, symlinks=True)
    found = set()
    for path in target.rglob("*"):
        name = str(path.relative_to(target))
        if path.is_file() and is_message(name):
            found.add(fingerprint(name, path.stat().st_size, int(path.stat().st_mtime)))
    return found


def keep(root: Path, target: Path, kept: set[str]) -> Keeper:
    target.mkdir()
    keeper = Keeper(root, target, kept, 0)
    assert keeper.keep()["failed"] == []
    return keeper


def test_paths() -> None:
    assert place("a/Maildir/cur/1.M1:2,S") == ("a/Maildir", "cur/1.M1:2,S")
    assert key("cur/1.M1,S=5:2,RS") == key("new/1.M1,S=5") == "1.M1,S=5"
    assert is_message("a/cur/1") and is_message("a/dbox-Mails/u.7")
    assert not is_message("a/u.7x") and not is_message("a/dovecot.index")


def test_a_tree_is_made_equal(root: Path, tmp_path: Path) -> None:
    live = tmp_path / "live"
    kept = snapshot(root, live)
    keeper = keep(root, tmp_path / "stage", kept)
    assert keeper.found == {"messages": 5, "bytes": keeper.found["bytes"], "copied": 0}
    found = Placer(live, tmp_path / "stage").place()
    assert found == {"messages": 5, "missing": []}
    assert tree(live) == tree(root)
    assert (live / MAILDIR / ".Empty/cur").is_dir()


def test_what_changed_after_the_snapshot_is_as_it_is_then(root: Path, tmp_path: Path) -> None:
    live = tmp_path / "live"
    kept = snapshot(root, live)
    (root / MAILDIR / "new/3.M3.host").rename(root / MAILDIR / "cur/3.M3.host:2,FS")  # read and flagged
    (root / MAILDIR / "cur/2.M2.host:2,").unlink()
    write(root, f"{MAILDIR}/new/5.M5.host", "came meanwhile")
    write(root, f"{MAILDIR}/dovecot-uidlist", "3 V1 N6")
    shutil.rmtree(root / MAILDIR / ".Empty")
    write(root, f"{MAILDIR}/.New/cur/6.M6.host:2,", "in a new folder")
    (root / MAILDIR / ".New/new").mkdir()
    (root / DBOX / "u.1").unlink()
    write(root, f"{DBOX}/u.3", "another", at=1_700_000_009)
    write(root, f"{DBOX}/dovecot.index", "index 2")
    keeper = keep(root, tmp_path / "stage", kept)
    assert keeper.found["copied"] == 3
    assert Placer(live, tmp_path / "stage").place() == {"messages": 6, "missing": []}
    assert tree(live) == tree(root)
    assert not (live / MAILDIR / ".Empty").exists()


def test_a_message_of_the_same_name_and_another_content_is_copied(root: Path, tmp_path: Path) -> None:
    live = tmp_path / "live"
    kept = snapshot(root, live)
    shutil.rmtree(root / DBOX)  # a folder that was removed and created again counts from 1
    write(root, f"{DBOX}/u.1", "not the same", at=1_700_000_100)
    keep(root, tmp_path / "stage", kept)
    Placer(live, tmp_path / "stage").place()
    assert tree(live) == tree(root)


def test_a_message_that_the_snapshot_lost_is_named(root: Path, tmp_path: Path) -> None:
    live = tmp_path / "live"
    kept = snapshot(root, live)
    keep(root, tmp_path / "stage", kept)
    (live / MAILDIR / "cur/1.M1.host,S=5:2,S").unlink()  # its data were damaged
    found = Placer(live, tmp_path / "stage").place()
    assert found == {"messages": 4, "missing": [f"{MAILDIR}/cur/1.M1.host,S=5:2,S"]}


def test_no_message_is_missed_while_flags_change(root: Path, tmp_path: Path) -> None:
    """Half of the messages are renamed all the while, as a client does that marks them."""
    names = [f"{number}.M{number}.host" for number in range(100, 400)]
    for name in names:
        write(root, f"{MAILDIR}/cur/{name}:2,")
    stop = threading.Event()

    def rename() -> None:
        flags = ""
        while not stop.is_set():
            other = "" if flags else "S"
            for name in names[::2]:
                here = root / MAILDIR / "cur"
                (here / f"{name}:2,{flags}").rename(here / f"{name}:2,{other}")
            flags = other

    job = threading.Thread(target=rename)
    job.start()
    try:
        keeper = keep(root, tmp_path / "stage", set())
    finally:
        stop.set()
        job.join()
    assert keeper.found["messages"] == 305


def test_links_and_strange_files_are_not_followed(root: Path, tmp_path: Path) -> None:
    secret = write(tmp_path, "secret", "of root")
    (root / MAILDIR / "cur/7.M7.host:2,").symlink_to(secret)
    (root / "example.org/outside").symlink_to(tmp_path)
    os.mkfifo(root / MAILDIR / "fifo")
    keep(root, tmp_path / "stage", set())
    assert "of root" not in tree(tmp_path / "stage").values()


def test_a_full_disk_ends_it(root: Path, tmp_path: Path) -> None:
    (tmp_path / "stage").mkdir()
    with pytest.raises(SystemExit, match="nearly full"):
        Keeper(root, tmp_path / "stage", set(), 1 << 60).keep()


def test_folders_are_sorted_and_without_indexes_of_searches(root: Path) -> None:
    found = [each.path for each in folders(root)]
    assert found == sorted(found) and f"{MAILDIR}/fts-flatcurve" not in found and MAILDIR in found
    assert Folder(root, MAILDIR).others() == ["dovecot-uidlist"]


def test_a_message_that_goes_while_its_index_is_copied_is_kept(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The copy of an index of sdbox may still have it, and a missing file would cost the folder its flags."""
    others = Keeper._others

    def then_gone(keeper: Keeper, folder: Folder) -> None:
        others(keeper, folder)
        if folder.path == DBOX:
            (root / DBOX / "u.2").unlink(missing_ok=True)

    monkeypatch.setattr(Keeper, "_others", then_gone)
    keeper = keep(root, tmp_path / "stage", set())
    assert keeper.found["messages"] == 5
    assert (tmp_path / "stage/tree" / DBOX / "u.2").exists()


@pytest.mark.parametrize("name", ["before-restore", "restoring"])
def test_a_folder_of_a_user_is_not_what_a_restore_has_left(root: Path, tmp_path: Path, name: str) -> None:
    write(root, f"{MAILDIR}/.{name}/cur/7.M7.host:2,S")
    (root / MAILDIR / f".{name}" / "new").mkdir()
    assert keep(root, tmp_path / "stage", set()).found["messages"] == 6


def test_folders_of_sdbox_with_names_of_a_maildir(root: Path, tmp_path: Path) -> None:
    boxes = DBOX.removesuffix("/INBOX/dbox-Mails")
    for name in ("cur", "new", "tmp", "fts-flatcurve"):
        write(root, f"{boxes}/{name}/dbox-Mails/u.7")
        write(root, f"{boxes}/{name}/dbox-Mails/dovecot.index")
    live = tmp_path / "live"
    kept = snapshot(root, live)
    assert keep(root, tmp_path / "stage", kept).found["messages"] == 9
    assert (tmp_path / "stage/tree" / boxes / "cur/dbox-Mails/dovecot.index").exists()
    assert Placer(live, tmp_path / "stage").place() == {"messages": 9, "missing": []}


def test_a_directory_that_can_not_be_read_costs_no_other(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk of its own has ``lost+found`` of fsck(8), for root alone; others are named."""
    scandir, closed = os.scandir, [root / "lost+found", root / "old"]

    def refuse(directory: Path) -> Iterator[os.DirEntry[str]]:
        if directory in closed:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), directory)
        return scandir(directory)

    for each in closed:
        each.mkdir()
    kept = snapshot(root, tmp_path / "live")
    monkeypatch.setattr(os, "scandir", refuse)
    (tmp_path / "stage").mkdir()
    found = Keeper(root, tmp_path / "stage", kept, 0).keep()
    assert (found["messages"], found["failed"]) == (5, ["old: Permission denied"])
    closed.append(root)  # without any list of messages, there is no backup
    with pytest.raises(PermissionError):
        Keeper(root, tmp_path / "stage", kept, 0).keep()
    monkeypatch.undo()
    assert Placer(tmp_path / "live", tmp_path / "stage").place() == {"messages": 5, "missing": []}


def test_names_may_be_as_long_as_a_file_system_allows(root: Path, tmp_path: Path) -> None:
    name = f"{'ä' * 124}x.sieve"
    assert len(name.encode()) == 255
    write(root, f"example.org/alice.1/sieve/{name}", "stop;")
    live = tmp_path / "live"
    kept = snapshot(root, live)
    keep(root, tmp_path / "stage", kept)
    assert Placer(live, tmp_path / "stage").place() == {"messages": 5, "missing": []}
    assert tree(live) == tree(root)
