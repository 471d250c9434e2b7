"""The command."""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
from pathlib import Path
from typing import Any

from . import __doc__ as described
from . import given
from .progress import RESULTS, Progress, alone, begin, kept, write
from .restic import FailureError, Repository
from .restore import WISHES, Restore
from .run import DAMAGED, PLACE, WHOLE, Backup, in_utc, tag_of
from .users import UserRestore

CONFIGURATION = Path("/etc/mailstack/backup.json")
COMMANDS = ("run", "check", "list", "reach", "restore")
_NAMES = {"run": "backup", "check": "backup-check", "restore": "restore"}
_COUNTS = ("messages", "bytes", "queued")


def main(arguments: list[str]) -> int:
    """Do what the argument says."""
    if len(arguments) != 1 or arguments[0] not in COMMANDS:
        print((described or "").split("\n\n")[1], file=sys.stderr)
        return 2
    os.umask(0o077)
    PLACE.mkdir(parents=True, exist_ok=True)
    (command,) = arguments
    configuration = json.loads(CONFIGURATION.read_text("utf-8"))
    repository = Repository(configuration)
    try:
        if command == "list":
            print(json.dumps(listed(repository)))
        elif command == "reach":
            reach(repository)
        else:
            return _recorded(command, configuration, repository)
    except FailureError as failure:
        print(failure, file=sys.stderr)
        return 1
    return 0


def listed(repository: Repository) -> list[dict[str, Any]]:
    """Return the backups of this host, the newest first."""
    found = [each for each in repository.snapshots() if WHOLE in (each.get("tags") or [])]
    return [
        {
            "id": str(each["id"])[:8],
            "at": in_utc(str(each["time"])),
            **{name: int(tag_of(each, name) or 0) for name in _COUNTS},
        }
        for each in reversed(found)
    ]


def reach(repository: Repository) -> None:
    """Raise ``FailureError`` if the repository can't be opened. One that is not made yet is right."""
    repository.is_made(within=60)


def _recorded(command: str, configuration: dict[str, Any], repository: Repository) -> int:
    """Run a command, and keep its result for ``mailstack.status`` and the one who waits for it."""
    begun = int(time.time())
    name = _NAMES[command]
    begin(name)
    before = kept(name) if command == "run" else {}
    try:
        with alone():
            result = _done(command, configuration, repository, Progress())
    except FailureError as failure:
        result = {**before, "at": begun, "failed": [str(failure)]}
    except Exception as fault:  # whatever it is: the result of another run must not stand for this one
        traceback.print_exc()
        result = {**before, "at": begun, "failed": [f"{type(fault).__name__}: {fault}"[:500]]}
    write(RESULTS / f"{name}.json", result)
    for each in result["failed"]:
        print(each, file=sys.stderr)
    return 1 if result["failed"] else 0


def _done(
    command: str,
    configuration: dict[str, Any],
    repository: Repository,
    progress: Progress,
) -> dict[str, Any]:
    if command == "restore":
        given.take(configuration)
        wishes = json.loads(WISHES.read_text("utf-8"))
        kind = UserRestore if wishes.get("user") else Restore
        return kind(configuration, repository, progress, wishes).run()
    backup = Backup(configuration, repository, progress)
    if command == "run":
        return backup.run()
    repository.open()
    before = kept("backup")
    # one that was damaged is right once all of it was read
    found = backup.check(whole=bool(before.get("damaged")))
    write(RESULTS / "backup.json", {**before, **found, "failed": _without_damage(before)})
    return {"at": int(time.time()), "failed": backup.failed, **found}


def _without_damage(record: dict[str, Any]) -> list[str]:
    """Return why the last backup failed, but for damage: the check knows that."""
    return [each for each in record.get("failed", ()) if not str(each).startswith(DAMAGED)]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
