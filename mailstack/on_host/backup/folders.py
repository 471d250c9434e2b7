"""Folders of mail on a disk, in any of Dovecot's formats with one file a message: Maildir and sdbox.

A message is a file that never changes. It is renamed when its flags change (Maildir), and removed. All other
files are small, and change at any time: indexes, lists of UIDs, subscriptions, Sieve scripts.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

ASIDE, WORK = ".before-restore", ".restoring"
"""Directories directly in that of all mail, in no backup: what a restore has replaced, and its work."""
SEARCH = ("fts-flatcurve", "xapian-indexes")
"""Indexes of full-text search, which Dovecot makes again."""
_DBOX_MAIL = "dbox-Mails"
_DBOX = re.compile(r"u\.\d+")
_LEFT_OUT = re.compile(r"dovecot\.index\.cache|.*\.(?:lock|tmp|newlock)|\.temp\..*")
_INDEX = re.compile(r"dovecot\.(?:list\.)?index(?:\.log(?:\.2)?)?")
_MAILDIR = ("cur", "new")
_TRIES = 12
_TICK = 0.02
"""Longer than the clock of file systems needs to move on, in seconds."""


class Message(NamedTuple):
    """A message of a folder.

    + name: its path in the folder, such as ``cur/1700000000.M1P1.host:2,S``
    """

    name: str
    size: int
    mtime: int


def key(name: str) -> str:
    """Return what stays of the name of a message in its folder when its flags change."""
    return name.rpartition("/")[2].partition(":2,")[0]


def place(path: str) -> tuple[str, str]:
    """Return the folder of a message, and its name in it, given its path."""
    directory, _, name = path.rpartition("/")
    above, _, last = directory.rpartition("/")
    return (above, f"{last}/{name}") if last in _MAILDIR else (directory, name)


def fingerprint(path: str, size: int, mtime: int) -> str:
    """Return a text that is the same for a message of a folder, whatever its flags are."""
    folder, name = place(path)
    text = "\0".join((folder, key(name), str(size), str(mtime)))
    return hashlib.blake2b(text.encode(errors="surrogateescape"), digest_size=8).hexdigest()


def is_message(path: str) -> bool:
    """Return whether this is the path of a message, and of no other file."""
    folder, name = place(path)
    return "/" in name or (_DBOX.fullmatch(name) is not None and bool(folder))


class Folder:
    """A directory with messages, or with other files only.

    + path: its path below ``root``
    """

    def __init__(self, root: Path, path: str) -> None:
        self.path = path
        self.place = root / path
        entries = _entries(self.place)
        names = {each.name for each in entries if each.is_dir(follow_symlinks=False)}
        # users of sdbox may have folders of these names
        self.is_maildir = names.issuperset(_MAILDIR) and not any(
            (self.place / name / _DBOX_MAIL).is_dir() for name in _MAILDIR
        )
        inner = {*_MAILDIR, "tmp"} if self.is_maildir else set()
        indexes = {name for name in SEARCH if not (self.place / name / _DBOX_MAIL).is_dir()}
        work = set() if path else {ASIDE, WORK}
        self.folders = sorted(names - inner - indexes - work)

    def listing(self) -> dict[str, str]:
        """Return the names of all messages by their keys.

        A directory that changes while it is read may show a renamed file under both of its names, or under
        none. So it is read until its time stays the same.
        """
        seen: dict[str, dict[str, None]] = {}
        for _ in range(_TRIES):
            before = self._times()
            found = {key(name): name for name in self._names()}
            if self._times() == before and time.time_ns() - max(before) > _TICK * 1e9:
                return found
            for each, name in found.items():
                seen.setdefault(each, {})[name] = None
            time.sleep(_TICK)
        present = {each: self._present(names) for each, names in seen.items()}
        return {each: name for each, name in present.items() if name is not None}

    def _present(self, names: Iterable[str]) -> str | None:
        """Return the one of these names that a file has now; it may get another one meanwhile."""
        for _ in range(_TRIES):
            for name in names:
                if os.path.lexists(self.place / name):
                    return name
        return None

    def others(self) -> list[str]:
        """Return the names of the other files, indexes before their logs."""
        return sorted(
            each.name
            for each in _entries(self.place)
            if (each.is_file(follow_symlinks=False) or each.is_symlink())
            and not _LEFT_OUT.fullmatch(each.name)
            and (self.is_maildir or not _DBOX.fullmatch(each.name))
        )

    def indexes(self) -> dict[str, tuple[int, int]]:
        """Return the files of the index. A log that grows is no difference: it fits the index before it."""
        found = {}
        for each in _entries(self.place):
            if _INDEX.fullmatch(each.name):
                state = each.stat(follow_symlinks=False)
                found[each.name] = (state.st_ino, 0 if ".log" in each.name else state.st_mtime_ns)
        return found

    def message(self, name: str) -> Message:
        """Return a message. Raises ``FileNotFoundError``."""
        state = (self.place / name).lstat()
        return Message(name, state.st_size, int(state.st_mtime))

    def _directories(self) -> list[Path]:
        return [self.place / each for each in _MAILDIR] if self.is_maildir else [self.place]

    def _times(self) -> list[int]:
        return [each.stat().st_mtime_ns for each in self._directories() if each.is_dir()] or [0]

    def _names(self) -> Iterator[str]:
        if not self.is_maildir:
            yield from (each.name for each in _entries(self.place) if _DBOX.fullmatch(each.name))
            return
        for directory in _MAILDIR:
            for each in _entries(self.place / directory):
                if each.is_file(follow_symlinks=False) and not each.name.startswith("."):
                    yield f"{directory}/{each.name}"


def folders(root: Path, path: str = "", onerror: Callable[[OSError], None] | None = None) -> Iterator[Folder]:
    """Yield all directories below ``root``, each before those in it, sorted by name.

    + onerror: is called for one that can't be read, which is left out; without it, and for ``root``, the
      error is raised
    """
    try:
        here = Folder(root, path)
    except OSError as error:
        if onerror is None or not path:
            raise
        onerror(error)
        return
    yield here
    for name in here.folders:
        yield from folders(root, f"{path}/{name}" if path else name, onerror)


def has_mail(root: Path) -> bool:
    """Return whether there is a message, which costs no time if there are many."""
    for directory, names, files in os.walk(root):
        if directory == str(root):
            names[:] = [each for each in names if each not in (ASIDE, WORK)]
        here = Path(directory).name
        if files and (here in ("cur", "new") or any(each.startswith("u.") for each in files)):
            return True
    return False


def copy(source: Path, target: Path) -> None:
    """Copy a file or a symbolic link with its time and mode; follow no link.

    Raises ``FileNotFoundError`` if it is gone.
    """
    if source.is_symlink():
        target.unlink(missing_ok=True)
        target.symlink_to(source.readlink())
        return
    opened = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    with os.fdopen(opened, "rb") as read:
        state = os.fstat(opened)
        if not stat.S_ISREG(state.st_mode):
            return
        new = target.with_name(".copied.new")  # a name of its own may be too long
        new.unlink(missing_ok=True)  # or whoever owns the directory could have put a link there
        with new.open("xb") as written:
            while block := read.read(1 << 20):
                written.write(block)
            written.flush()
            os.fchmod(written.fileno(), stat.S_IMODE(state.st_mode) & 0o777)
            os.utime(written.fileno(), ns=(state.st_atime_ns, state.st_mtime_ns))
        new.replace(target)


def _entries(directory: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(directory) as entries:
            return sorted(entries, key=lambda each: each.name)
    except (FileNotFoundError, NotADirectoryError):
        return []
