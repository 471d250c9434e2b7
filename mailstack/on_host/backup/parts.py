"""What a restore of a whole host and one of a user have in common."""

from __future__ import annotations

import json
import os
import pwd
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .folders import ASIDE, WORK
from .restic import FailureError, Repository
from .run import WHOLE, as_pattern, as_user, in_utc


def chosen(repository: Repository, at: str) -> dict[str, Any]:
    """Return a backup of this host by its ID, or the last one. Raises ``FailureError`` if there is none."""
    wanted = [each for each in backups(repository) if not at or str(each["id"]).startswith(at)]
    if not wanted:
        what = f"no backup {at}" if at else "no backup"
        raise FailureError(f"{repository.place} has {what} of {repository.host}")
    if at and len(wanted) > 1:
        names = ", ".join(str(each["id"])[:12] for each in wanted)
        raise FailureError(f"at={at} may be one of several backups: {names}")
    if not at and (time := in_utc(str(wanted[-1]["time"]))) > _tomorrow():
        name = str(wanted[-1]["id"])[:8]
        raise FailureError(
            f"the last backup, {name}, is of {time}, which is to come: a clock is or was wrong; the option at"
            f" ID takes this one, or another"
        )
    return wanted[-1]


def _tomorrow() -> str:
    """Return the time in a day from now, in UTC."""
    return (datetime.now(UTC) + timedelta(days=1)).isoformat()


def backups(repository: Repository) -> list[dict[str, Any]]:
    """Return the backups of this host, the oldest first."""
    return [each for each in repository.snapshots() if WHOLE in (each.get("tags") or [])]


def written(repository: Repository, snapshot: str, target: Path, *only: str) -> list[str]:
    """Write the files of a snapshot, and return the paths of those that can't be read.

    + only: paths in the snapshot; by default all
    """
    options = [text for path in only for text in ("--include", as_pattern(path))]
    bad = repository.restore(snapshot, target, *options)
    for each in bad:
        path = target / each.lstrip("/")
        if path.is_file():
            path.unlink()  # it may have the right size, and a wrong content
    return bad


def give(root: Path, owner: str) -> None:
    """Give all below a directory to the user of the mail, but for what is put aside."""
    user = pwd.getpwnam(owner)
    for directory, names, files in os.walk(root):
        if directory == str(root) and ASIDE in names:
            names.remove(ASIDE)
        for name in (*names, *files):
            os.lchown(Path(directory, name), user.pw_uid, user.pw_gid)


def placed(root: Path, place: Path, owner: str) -> dict[str, Any]:
    """Make a tree of mail equal to a backup; see ``placing``."""
    give(place, owner)
    shutil.chown(place, owner, owner)
    return as_user(owner, "placing", place, iter([json.dumps({"root": str(root)})]))


def has_mail(root: Path) -> bool:
    """Return whether there is a message, which costs no time if there are many."""
    for directory, names, files in os.walk(root):
        if directory == str(root):
            names[:] = [each for each in names if each not in (ASIDE, WORK)]
        here = Path(directory).name
        if files and (here in ("cur", "new") or any(each.startswith("u.") for each in files)):
            return True
    return False
