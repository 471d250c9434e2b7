"""The state that is neither mail nor the database: the queue, files, names of system users."""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import subprocess
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from .folders import copy
from .restic import FailureError

_QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")
_COPIED = "mailstack-restore"
"""The directory beside the queues from which a restore moves messages, as a copy could be repeated."""


def keep_queue(queue: Path, directory: Path) -> int:
    """Copy the whole messages of Postfix's queue, and return their number.

    They move from one part to the other meanwhile, so the parts are read until no other one is found.
    """
    found: set[str] = set()
    for _ in range(10):
        before = len(found)
        for name in _QUEUES:
            (directory / name).mkdir(parents=True, exist_ok=True)
            for path in sorted((queue / name).rglob("*")):
                if path.name in found:
                    continue
                try:
                    state = path.lstat()
                    # qmgr(8): a message is whole once its file is executable
                    if path.is_file() and not path.is_symlink() and state.st_mode & 0o100:
                        copy(path, directory / name / path.name)
                        found.add(path.name)
                except FileNotFoundError:
                    continue
        if len(found) == before:
            break
    return len(found)


def copy_queue(queue: Path, directory: Path, aside: Path) -> tuple[int, int]:
    """Copy messages to the disk of the queue, and return their number, and that of those put aside.

    + aside: the directory for messages that Postfix had not yet taken up from a program (``maildrop``): in
      the queue, they would be delivered at once
    """
    owner = pwd.getpwnam("postfix")
    counts = Counter[str]()
    shutil.rmtree(queue / _COPIED, ignore_errors=True)
    for name in _QUEUES:
        target = aside if name == "maildrop" else queue / _COPIED
        for path in sorted((directory / name).glob("*")):
            target.mkdir(mode=0o700, exist_ok=True)
            there = target / path.name
            copy(path, there)
            os.chown(there, owner.pw_uid, owner.pw_gid)
            there.chmod(0o700)
            counts[target.name] += 1
    return counts[_COPIED], counts[aside.name]


def fill_queue(queue: Path) -> None:
    """Move the copied messages into the queue, on hold. If it is cut off, the next call moves the rest.

    The backup can't know which of them were delivered since. Names belong to inodes, so postsuper(1) gives
    them others.
    """
    copied = queue / _COPIED
    for path in sorted(copied.glob("*")):
        path.rename(queue / "hold" / path.name)
    shutil.rmtree(copied, ignore_errors=True)
    done = subprocess.run(["postsuper", "-s"], capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise FailureError(f"postsuper -s: {done.stderr.strip()[:300]}")


def owners() -> dict[str, dict[str, str]]:
    """Return the names of system users and groups by their numbers, which differ on another host."""
    return {
        "users": {str(each.pw_uid): each.pw_name for each in pwd.getpwall()},
        "groups": {str(each.gr_gid): each.gr_name for each in grp.getgrall()},
    }


def put(source: Path, target: Path, known: Mapping[str, Mapping[str, str]]) -> None:
    """Replace a file or a whole directory, with the owners of the same names.

    + known: those of the host of the backup, see ``owners``
    """
    if source.is_dir() and not source.is_symlink():
        target.mkdir(parents=True, exist_ok=True)
        for each in sorted(source.iterdir()):
            there = target / each.name
            if there.is_symlink():  # it may lead anywhere: a service may own the directory
                there.unlink()
            put(each, there, known)
        target.chmod(source.stat().st_mode & 0o7777)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        copy(source, target)
    state = source.lstat()
    os.chown(target, _user(state.st_uid, known), _group(state.st_gid, known), follow_symlinks=False)


def _user(number: int, known: Mapping[str, Mapping[str, str]]) -> int:
    try:
        return pwd.getpwnam(known["users"][str(number)]).pw_uid
    except KeyError:
        return 0


def _group(number: int, known: Mapping[str, Mapping[str, str]]) -> int:
    try:
        return grp.getgrnam(known["groups"][str(number)]).gr_gid
    except KeyError:
        return 0
