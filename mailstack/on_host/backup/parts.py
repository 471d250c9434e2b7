"""What a restore of a whole host and one of a user have in common."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from .folders import WORK
from .reached import fresh, give
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


def mail_read(repository: Repository, snapshot: str, work: Path, owner: str, *only: str) -> list[str]:
    """Write mail of a snapshot to a new directory, which is then the user's of the mail; see ``written``.

    + snapshot: may be empty; then the directory is
    """
    with fresh(work) as place:
        inner = place / WORK  # no mail has this name; restic takes no link as its target, as ``place`` is one
        inner.mkdir()
        bad = written(repository, snapshot, inner, *only) if snapshot else []
        for each in list(inner.iterdir()):
            each.rename(place / each.name)
        inner.rmdir()
        give(place, owner)
    return bad


def placed(root: Path, place: Path, owner: str) -> dict[str, Any]:
    """Make a tree of mail equal to a backup; see ``placing``."""
    give(place, owner)
    return as_user(owner, "placing", place, iter([json.dumps({"root": str(root)})]))
