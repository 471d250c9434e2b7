"""Carry one user's mail over to another mail driver, while mail arrives and is read.

convert.py PLAN        carries it over, and prints {"messages": number, "locked": seconds}
convert.py PLAN undo   opens the mailbox again, whatever ended the first

The plan is a file of JSON:

+ email, home: the user, and the directory of all that is the user's
+ before, after: the mail drivers
+ generation: of Dovecot, ``2.3`` or ``2.4``
+ switch: a shell script that writes the new driver into the database
+ delete_old: whether the old mail is deleted

Most of the mail is copied while the mailbox is open. Then it is locked, and what has changed meanwhile is
copied: its directory gets another name, and a file takes its place. So no process that still knows the old
place can write there, or make it anew, and new mail stays in Postfix's queue. The file stays.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

NAMES = {"maildir": "Maildir", "sdbox": "sdbox"}
NOTE = "The mail that was here is in {}. This file keeps programs from making a new mailbox here.\n"
COPYING, LOCKED = 24 * 3600, 300
"""The seconds that doveadm may take, with the mailbox open and locked."""
SHORT = 1.0
"""The mailbox is locked for the next copy after one that took no more seconds."""
ESCAPED = {"mailbox_list_storage_escape_char": "\x7f"}
"""The setting in dovecot.conf for dots in names of folders, which doveadm does not take from there."""
NOT_FOUND = 68
"""doveadm's exit code, also if a folder has only subfolders, or a user no session."""


class Problem(Exception):  # noqa: N818 - it is a line for people
    """Raised with a line that says what prevents it."""


class Move:
    """The mail of one user, and where it goes."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.email: str = plan["email"]
        self.home = Path(plan["home"])
        self.before, self.after = plan["before"], plan["after"]
        self.generation, self.switch = plan["generation"], plan["switch"]
        self.source = self.home / NAMES[self.before]
        self.target = self.home / NAMES[self.after]
        self.old = self.home / f"{self.source.name}.old"
        self.new = self.home / f"{self.target.name}.new"

    def settings(self, driver: str, place: Path) -> list[str]:
        """Return doveadm's arguments for the mail in this place."""
        if self.generation == "2.3":
            return ["-o", f"mail_location={driver}:~/{place.name}"]
        return ["-o", f"mail_driver={driver}", "-o", f"mail_path=~/{place.name}"]

    def copy(self, place: Path, within: float) -> bool:
        """Make the new mail like that in this place. Return whether nothing changed meanwhile."""
        to = [f"{self.after}:~/{self.new.name}"]
        if self.generation != "2.3":
            told = {"mail_driver": self.after, "mail_path": f"~/{self.new.name}", **ESCAPED}
            to = [*(part for name, value in told.items() for part in ("-p", f"{name}={value}")), *to]
        settings = self.settings(self.before, place)
        code, _ = doveadm([*settings, "backup", "-u", self.email, *to], within, accepted=(0, 2))
        return code == 0

    def counted(self, driver: str, place: Path) -> list[str]:
        """Return the numbers of each folder, without those that others share."""
        fields = "messages unseen uidnext uidvalidity"
        ask = ["mailbox", "status", "-u", self.email, fields, "*"]
        _, said = doveadm(["-f", "tab", *self.settings(driver, place), *ask], LOCKED, (0, NOT_FOUND))
        return sorted(line for line in said.split("\n")[1:] if line and not line.startswith("shared/"))

    def driver(self) -> str:
        """Return the driver that the database has."""
        field = "mail" if self.generation == "2.3" else "mail_driver"
        _, said = doveadm(["user", "-f", field, self.email], 60)
        return said.strip().partition(":")[0]

    def sessions(self) -> list[str]:
        """Return the user's sessions."""
        _, said = doveadm(["-f", "tab", "who", self.email], 30, accepted=(0, NOT_FOUND))
        return [line for line in said.split("\n")[1:] if line]


def doveadm(arguments: Sequence[str], within: float, accepted: Sequence[int] = (0,)) -> tuple[int, str]:
    """Run doveadm; return its exit code and its output. Raises ``Problem`` for any other code."""
    command = ["doveadm", "-o", "stats_writer_socket_path=", *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=within, check=False)
    except subprocess.TimeoutExpired:
        raise Problem(f"doveadm did not end within {within:.0f} s") from None
    if done.returncode not in accepted:
        said = " ".join(done.stderr.split()) or f"exit code {done.returncode}"
        raise Problem(f"doveadm: {said[-500:]}")
    return done.returncode, done.stdout


@contextmanager
def closed(home: Path) -> Iterator[None]:
    """Keep all others from making anything in a directory."""
    mode = home.stat().st_mode & 0o7777
    home.chmod(mode & ~0o222)
    try:
        yield
    finally:
        home.chmod(mode | 0o200)


def lock(move: Move) -> None:
    """Put a file in the place of the old mail, and end the sessions that have it open."""
    with closed(move.home):
        move.source.rename(move.old)
        move.source.write_text(NOTE.format(move.target))
    deadline = time.monotonic() + 30
    while move.sessions():
        if time.monotonic() > deadline:
            raise Problem("a session does not end: doveadm who")
        doveadm(["kick", move.email], 30, accepted=(0, NOT_FOUND))
        time.sleep(0.1)


def undo(move: Move) -> None:
    """Open a locked mailbox, with the old mail, unless the database has the new driver already."""
    if not move.home.is_dir():
        return
    move.home.chmod(move.home.stat().st_mode & 0o7777 | 0o200)
    locked = move.old.is_dir() and (move.source.is_file() or not move.source.exists())
    if not locked or move.driver() != move.before:
        return
    with closed(move.home):
        if move.target.is_dir():
            move.target.rename(move.new)
        move.source.unlink(missing_ok=True)
        move.old.rename(move.source)


def carry(move: Move) -> dict[str, float]:
    """Carry the mail over; return the number of messages, and for how many seconds the mailbox was locked."""
    if move.driver() != move.before:
        raise Problem(f"the database says {move.driver()} by now")
    undo(move)
    move.counted(move.before, move.source)  # makes a mailbox that has never been used
    for place in (move.target, move.old):
        if place.is_dir():
            raise Problem(f"{place} is there already; move it away, or delete it")
    for _ in range(5):
        began = time.monotonic()
        move.copy(move.source, COPYING)
        if time.monotonic() - began < SHORT:
            break
    began = time.monotonic()
    try:
        lock(move)
        there = _switched(move)
    except BaseException:
        undo(move)
        raise
    messages = sum(int(line.split("\t")[1]) for line in there)
    return {"messages": messages, "locked": round(time.monotonic() - began, 2)}


def _switched(move: Move) -> list[str]:
    """Copy what is left of the locked mail, and write the driver into the database; return the numbers."""
    if not move.copy(move.old, LOCKED):
        raise Problem("the mail changed while it was locked")
    there = move.counted(move.after, move.new)
    if differ := sorted({*there} ^ {*move.counted(move.before, move.old)}):
        raise Problem(f"the new mail has not the same numbers as the old: {'; '.join(differ)[:500]}")
    move.target.unlink(missing_ok=True)  # the file of a lock, if it was carried the other way before
    move.new.rename(move.target)
    switch = ["sh", "-c", move.switch]
    done = subprocess.run(switch, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode or move.driver() != move.after:
        raise Problem(f"the database takes no change: {' '.join(done.stderr.split())[-500:]}")
    return there


def main() -> None:
    """Do what the command line says."""
    plan = json.loads(Path(sys.argv[1]).read_text())
    move = Move(plan)
    try:
        if sys.argv[2:] == ["undo"]:
            undo(move)
            return
        done = carry(move)
        if plan["delete_old"]:
            shutil.rmtree(move.old)
        print(json.dumps(done), flush=True)
    except (Problem, OSError, subprocess.SubprocessError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
