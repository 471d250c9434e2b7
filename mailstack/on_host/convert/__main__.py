"""Carry the mail over, or open the mailbox again; see the package."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .checks import check, check_copied
from .lock import exchange, lock, unlock
from .move import LOCKED, Move, Problem, messages_of
from .record import note

NOTE = "The mail that was here is in {}. This file keeps programs from making a new mailbox here.\n"
COPYING = 24 * 3600
"""The seconds that doveadm may take with the mailbox open."""
SHORT = 1.0
"""The mailbox is locked for the next copy after one that took no more seconds."""
SWITCHING = 60
"""The seconds that the change in the database may take."""
_TIMED_OUT = 124
"""The exit code of timeout(1), which ends the processes of its command, too."""
INSIDE = "inside"
"""The argument of this program once it has mounts of its own."""
BACKUP = Path("/run/mailstack-backup/mail")
"""The file that a backup or restore locks while it reads or writes mail."""
_BACKUP_ENDS = 6
"""The hours in which it must end."""


def carry(move: Move) -> dict[str, Any]:
    """Carry the mail over; return the number of messages, and for how many seconds the mailbox was locked."""
    driver = move.driver()
    if driver not in (move.before, move.after):
        raise Problem(f"the database says {driver} by now")
    tidy(move, driver)
    if driver == move.after:  # an earlier run came so far
        return {"messages": messages_of(move.counted(move.after, move.target)), "locked": 0.0}
    if not os.path.lexists(move.source):
        move.counted(move.before, move.source)  # makes a mailbox that has never been used
    check(move)
    copy_open(move, COPYING)
    with no_backup():
        copy_open(move, LOCKED)  # no backup can begin meanwhile
        try:
            locked = lock(move)
            messages = switch(move)
        finally:
            unlock()
    return {"messages": messages, "locked": round(time.monotonic() - locked, 2)}


def copy_open(move: Move, within: float) -> None:
    """Copy while the mailbox is open, until little is left.

    + within: the seconds that one copy may take
    """
    for _ in range(5):
        began = time.monotonic()
        move.copy(within)
        if time.monotonic() - began < SHORT:
            break
    written(move)


def switch(move: Move) -> int:
    """Copy what is left of the locked mail, and let Dovecot read the copy; return the number of messages."""
    if not move.copy(LOCKED):
        raise Problem("the mail changed while it was locked")
    before, after = move.counted(move.before, move.source), move.counted(move.after, move.new)
    if differ := sorted({*before} ^ {*after}):
        raise Problem(f"the new mail has not the same numbers as the old: {'; '.join(differ)[:500]}")
    check_copied(move, messages_of(before))
    write(move.mark, "")
    move.target.unlink(missing_ok=True)  # the file in its place, if it was carried the other way before
    move.new.rename(move.target)
    written(move)  # before the database says that it is there
    leave_note(move)  # while a full disk is no reason to open mail that nobody reads any more
    change(move)
    retire(move)
    return messages_of(after)


def change(move: Move) -> None:
    """Write the new driver into the database. Raises ``Problem``.

    A client of the database that waits for a lock ends with the shell: it would write the new driver later,
    when the user's mail is in the old place again.
    """
    command = ["timeout", "--kill-after=5", str(SWITCHING), "sh", "-c", move.switch]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode == _TIMED_OUT:
        raise Problem(f"the database gave no answer within {SWITCHING} s")
    if done.returncode or move.driver() != move.after:
        raise Problem(f"the database takes no change: {' '.join(done.stderr.split())[-500:]}")


def leave_note(move: Move) -> None:
    """Write the file for the place of the old mail, beside it."""
    write(move.old, NOTE.format(move.target))


def retire(move: Move) -> None:
    """Put that file in the place of the old mail, which nobody reads any more."""
    try:
        exchange(move.source, move.old)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        note_file = move.old.rename(move.home / f".{move.old.name}")  # a file system without exchange
        move.source.rename(move.old)
        note_file.rename(move.source)
    move.mark.unlink(missing_ok=True)


def write(file: Path, text: str) -> None:
    """Write a file where Dovecot's user may have put a pipe, or a link to a file of root's: follow none."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK
    with os.fdopen(os.open(file, flags, 0o644), "w") as opened:
        opened.write(text)


def tidy(move: Move, driver: str) -> None:
    """Go on from the step at which another run was killed.

    + driver: the one that the database has
    """
    unlock()
    if not move.mark.exists():
        return
    if driver == move.after and move.source.is_dir():
        leave_note(move)
        retire(move)
    if driver == move.before and move.old.is_file():
        move.old.unlink()  # the note
    if driver == move.before and move.target.is_dir() and move.source.is_dir():
        move.target.rename(move.new)
    move.mark.unlink(missing_ok=True)


def undo(move: Move) -> None:
    """Open a locked mailbox, whatever ended the run. What can't be done now, the next run does."""
    unlock()
    with suppress(Problem, OSError):
        tidy(move, move.driver())


def delete(old: Path) -> str:
    """Delete the old mail, which nobody reads any more; return why it is not all gone, or nothing."""
    try:
        if old.is_dir():
            shutil.rmtree(old)
    except OSError as error:
        return f"{old} is not deleted: {error.strerror}: {error.filename}"
    return ""


def written(move: Move) -> None:
    """Wait until all of it is on the disk."""
    subprocess.run(["sync", "--file-system", str(move.home)], check=True, timeout=LOCKED, capture_output=True)


@contextmanager
def no_backup() -> Iterator[None]:
    """Wait for a backup or a restore that runs, and let none begin: it would find the mailbox locked."""
    BACKUP.parent.mkdir(mode=0o700, exist_ok=True)
    deadline, hours = time.monotonic() + _BACKUP_ENDS * 3600, _BACKUP_ENDS
    with BACKUP.open("w") as file:
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            if time.monotonic() > deadline:
                raise Problem(f"a backup or a restore has not ended within {hours} hours")
            time.sleep(1)
        yield


def main() -> None:
    """Do what the command line says."""
    path, *how = sys.argv[1:]
    plan = json.loads(Path(path).read_text())
    move = Move(plan)
    if not how:  # the mounts that lock the mailbox must not hide it from this program
        os.execvp("unshare", ["unshare", "--mount", *sys.orig_argv, INSIDE])
    if how == ["undo"]:
        undo(move)
        return
    about = {"before": move.before, "after": move.after}
    note(move.email, **about)
    try:
        done = carry(move)
    except (Problem, OSError, subprocess.SubprocessError) as error:
        undo(move)
        note(move.email, **about, failed=str(error))
        sys.exit(str(error))
    if plan["delete_old"] and (left := delete(move.old)):
        done["left"] = left
    note(move.email, **about, **done)
    print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
