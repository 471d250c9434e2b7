"""Find what prevents that mail is carried over, before anything is changed."""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .move import Move, Problem, messages_of

_RESERVE_BYTES, _RESERVE_FILES = 64 << 20, 1000
"""What must stay free for others on the disk."""
_TRIES = 5
_SDBOX = re.compile(r"u\.\d+")


class Size(NamedTuple):
    """Numbers of a directory tree, with the messages among its files."""

    bytes: int = 0
    files: int = 0
    messages: int = 0


def check(move: Move) -> None:
    """Raise ``Problem`` if the mail can't be carried over."""
    for place in (move.source, move.new):
        if place.is_symlink():
            raise Problem(f"{place} is a symbolic link; put the directory itself there")
    if not move.source.is_dir():
        raise Problem(f"{move.source} is no directory")
    for place in (move.target, move.old):
        if place.is_dir() or place.is_symlink():
            raise Problem(f"{place} is there already; move it away, or delete it")
    _check_room(move, size(move.source))
    check_complete(move)


def check_complete(move: Move) -> None:
    """Raise ``Problem`` if there are messages that Dovecot does not show. Mail may arrive meanwhile."""
    for _ in range(_TRIES):
        before = messages_of(move.counted(move.before, move.source))
        there = size(move.source).messages
        after = messages_of(move.counted(move.before, move.source))
        if min(before, after) <= there <= max(before, after):
            return
        time.sleep(1)
    raise Problem(
        f"{move.source} has {there} files of messages, and Dovecot shows {after}: a folder may have a name "
        "that is not modified UTF-7 (RFC 3501, 5.1.3); rename it, or move it away"
    )


def check_copied(move: Move, shown: int) -> None:
    """Raise ``Problem`` if a locked Maildir has messages that Dovecot does not show, and so has not copied.

    In sdbox, Dovecot's index says what is a message. A file without an entry there has been expunged.

    + shown: the number of messages that Dovecot shows
    """
    if move.before == "maildir" and (there := size(move.source).messages) != shown:
        raise Problem(f"{move.source} has {there} files of messages, and Dovecot has copied {shown}")


def size(place: Path) -> Size:
    """Return the size of a directory. Raises ``Problem`` for what can't be carried over."""
    total, files, messages = 0, 0, 0
    for each in _walk(place):
        try:
            state = each.stat(follow_symlinks=False)
        except FileNotFoundError:  # it was renamed or deleted meanwhile
            continue
        if stat.S_ISLNK(state.st_mode):
            raise Problem(
                f"{each.path} is a symbolic link: what it leads to is not locked; put the folder itself there"
            )
        if not (stat.S_ISREG(state.st_mode) or stat.S_ISDIR(state.st_mode)):
            raise Problem(f"{each.path} is neither a file nor a directory; remove it")
        total += state.st_size
        files += 1
        messages += stat.S_ISREG(state.st_mode) and _is_message(Path(each.path))
    return Size(total, files, messages)


def _walk(place: Path) -> Iterator[os.DirEntry[str]]:
    """Yield all below a directory."""
    try:
        with os.scandir(place) as entries:
            found = list(entries)
    except FileNotFoundError:
        return
    for each in found:
        yield each
        if each.is_dir(follow_symlinks=False):
            yield from _walk(Path(each.path))


def _is_message(path: Path) -> bool:
    directory, name = path.parent.name, path.name
    if directory == "dbox-Mails":
        return _SDBOX.fullmatch(name) is not None
    return directory in ("cur", "new") and not name.startswith(".")


def _check_room(move: Move, source: Size) -> None:
    """Raise ``Problem`` if the disk has no room for a copy; a part of it may be there already."""
    copied = size(move.new) if move.new.is_dir() else Size()
    disk = os.statvfs(move.home)
    free = disk.f_bavail * disk.f_frsize
    needed = max(source.bytes - copied.bytes, 0) + _RESERVE_BYTES
    if free < needed:
        raise Problem(f"{move.home} has {free >> 20} MiB free, and {needed >> 20} MiB are needed")
    needed = max(source.files - copied.files, 0) + _RESERVE_FILES
    if disk.f_files and disk.f_favail < needed:  # some file systems have no limit, and say 0
        raise Problem(f"{move.home} has room for {disk.f_favail} more files, and {needed} are needed")
