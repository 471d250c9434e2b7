"""Directories below one that another user can change.

Whoever runs code as the user of the mail can put a link in the place of any directory there, at any moment.
So root opens a directory once, and no link to one. It reaches what is in it through the open directory, by
one name: rename(2) follows no link there.
"""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from .restic import FailureError


@contextmanager
def opened(path: Path) -> Iterator[Path]:
    """Open a directory, and yield a path to it that no rename and no link changes, for processes of root.

    Raises ``FailureError`` for a link, or a file.
    """
    try:
        handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except NotADirectoryError:
        raise FailureError(f"{path} is a link or a file: remove it; allowed: a directory") from None
    try:
        yield Path(f"/proc/{os.getpid()}/fd/{handle}")
    finally:
        os.close(handle)


@contextmanager
def made(path: Path) -> Iterator[Path]:
    """Open a directory of root alone as ``opened`` does, and make it if it is missing."""
    with suppress(FileExistsError):
        path.mkdir(mode=0o700)
    with opened(path) as place:
        yield place


@contextmanager
def fresh(path: Path) -> Iterator[Path]:
    """Make a new directory in the place of what is there, and open it as ``opened`` does.

    Nobody else can enter it until it is given away.
    """
    removed(path)
    with made(path) as place:
        state = place.stat()
        if state.st_uid != os.getuid() or state.st_mode & 0o077 or any(place.iterdir()):
            raise FailureError(f"{path} can't be emptied: what keeps it from being removed, or writes there?")
        yield place


def removed(path: Path) -> None:
    """Remove a directory with all that is in it, or the link or file that is in its place."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def give(root: Path, owner: str) -> None:
    """Give a directory and all that is in it to another user, who may change it meanwhile."""
    user = pwd.getpwnam(owner)
    for _, names, files, here in os.fwalk(f"{root}/."):
        for name in (*names, *files):
            os.chown(name, user.pw_uid, user.pw_gid, dir_fd=here, follow_symlinks=False)
    os.chown(root, user.pw_uid, user.pw_gid)
