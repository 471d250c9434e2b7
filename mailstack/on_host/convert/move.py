"""The mail of one user, and where it goes."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

NAMES = {"maildir": "Maildir", "sdbox": "sdbox"}
LOCKED = 300
"""The seconds that doveadm may take with the mailbox locked."""
ESCAPED = {"mailbox_list_storage_escape_char": "\x7f"}
"""The setting in dovecot.conf for dots in names of folders, which doveadm does not take from there."""
NOT_FOUND = 68
"""doveadm's exit code, also if a folder has only subfolders, or a user no session."""


class Problem(Exception):  # noqa: N818 - it is a line for people
    """Raised with a line that says what prevents it."""


class Move:
    """The mail of one user, and where it goes.

    + source, target: the directories in which Dovecot looks for the mail before and after
    + new, old: what the target was and what the source will be
    + mark: a file that is there while the target is not in use yet
    """

    def __init__(self, plan: dict[str, Any]) -> None:
        self.email: str = plan["email"]
        self.home = Path(plan["home"]).resolve()
        self.before, self.after = plan["before"], plan["after"]
        self.generation, self.switch = plan["generation"], plan["switch"]
        self.source = self.home / NAMES[self.before]
        self.target = self.home / NAMES[self.after]
        self.old = self.home / f"{self.source.name}.old"
        self.new = self.home / f"{self.target.name}.new"
        self.mark = self.home / f".{self.new.name}"

    def settings(self, driver: str, place: Path) -> list[str]:
        """Return doveadm's arguments for the mail in this place."""
        if self.generation == "2.3":
            return ["-o", f"mail_location={driver}:~/{place.name}"]
        return ["-o", f"mail_driver={driver}", "-o", f"mail_path=~/{place.name}"]

    def copy(self, within: float) -> bool:
        """Make the new mail like the old. Return whether nothing changed meanwhile."""
        to = [f"{self.after}:~/{self.new.name}"]
        if self.generation != "2.3":
            told = {"mail_driver": self.after, "mail_path": f"~/{self.new.name}", **ESCAPED}
            to = [*(part for name, value in told.items() for part in ("-p", f"{name}={value}")), *to]
        settings = self.settings(self.before, self.source)
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


def messages_of(counted: Sequence[str]) -> int:
    """Return the number of messages in all folders."""
    return sum(int(line.split("\t")[1]) for line in counted)


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
