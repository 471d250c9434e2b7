"""How full mailboxes are. Dovecot opens each for that, so a run looks at some, and the next at others."""

from __future__ import annotations

import socket
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .text import Metric, gauge

LEVELS = (80, 90, 100)
AT_ONCE, RUNS = 100, 60
"""The most mailboxes of a run, and the number of runs for all, if these are enough."""
AGAIN = 3600
USERS, SECONDS = Path("/run/dovecot/auth-userdb"), 60
"""The socket at which Dovecot looks users up, and how long an answer may take."""


class Mailboxes:
    """The mailboxes of all users, looked at one part after the other.

    + kept: the state, which a file keeps from run to run; it is changed
    + names: the file with the users of this round
    """

    def __init__(self, kept: dict[str, Any], names: Path) -> None:
        self.kept, self.names = kept, names

    def metrics(self, now: float) -> Iterator[Metric]:
        """Yield how many mailboxes are fuller than each level, as the last complete round has found it."""
        self._look(now)
        full = self.kept.get("full", {})
        samples = [({"percent": str(level)}, float(full.get(str(level), 0))) for level in LEVELS]
        yield gauge("quota_users", "Mailboxes that are at this percentage of their quota, or above.", samples)
        text = "When all mailboxes were looked at, 0 for not as yet."
        yield gauge("quota_timestamp_seconds", text, [({}, float(self.kept.get("complete", 0)))])

    def _look(self, now: float) -> None:
        if not self.names.exists() or "place" not in self.kept:  # the state may be lost, and the file not
            if 0 <= now - self.kept.get("begun", 0) < AGAIN:
                return
            self.names.write_text(_doveadm(["user", "*"]), "utf-8")
            self.kept.update(begun=now, place=0, found={})
        users = _lines(self.names.read_text("utf-8"))
        place, found = self.kept["place"], self.kept["found"]
        size = min(AT_ONCE, -(-len(users) // RUNS))
        self.kept["place"] = place + size  # before it may fail
        for percent in _percentages(users[place : place + size]):
            for level in LEVELS:
                found[str(level)] = found.get(str(level), 0) + (percent >= level)
        if place + size >= len(users):
            self.kept.update(full=found, complete=now)
            self.names.unlink()


def _percentages(users: list[str]) -> list[int]:
    """Return for each mailbox the larger percentage of its limits, of size and of messages."""
    homes = _homes(users) if users else {}
    # Dovecot would make the directory of a user who never had mail
    used = [user for user in users if user in homes and Path(homes[user]).is_dir()]
    if not used:
        return []
    with tempfile.NamedTemporaryFile("w", encoding="utf-8") as file:
        file.write("".join(f"{user}\n" for user in used))
        file.flush()
        told = _doveadm(["-f", "tab", "quota", "get", "-F", file.name])
    lines = [line.split("\t") for line in _lines(told)]
    head, found = lines[0], dict.fromkeys(used, 0)
    for row in lines[1:]:
        cells = dict(zip(head, row, strict=False))
        user, percent = cells.get("Username", ""), cells.get("%", "")
        if user in found and percent.isdigit():
            found[user] = max(found[user], int(percent))
    return list(found.values())


def _homes(users: list[str]) -> dict[str, str]:
    """Return the home of each user who is still there.

    Dovecot is asked by its own protocol: the arguments of doveadm(1) can be read by all users of the host.
    """
    found: dict[str, str] = {}
    states: list[str] = []
    with socket.socket(socket.AF_UNIX) as dovecot:
        dovecot.settimeout(SECONDS)
        dovecot.connect(str(USERS))
        asked = (f"USER\t{number}\t{user}\tservice=doveadm\n" for number, user in enumerate(users))
        dovecot.sendall("".join(("VERSION\t1\t0\n", *asked)).encode())
        with dovecot.makefile(encoding="utf-8", newline="\n") as answers:
            while len(states) < len(users):
                state, *fields = answers.readline().rstrip("\n").split("\t")
                if not state:
                    raise OSError(f"{USERS}: Dovecot has closed the connection")
                if state in ("USER", "NOTFOUND", "FAIL"):
                    states.append(state)
                    home = [each.removeprefix("home=") for each in fields if each.startswith("home=")]
                    found.update({users[int(fields[0])]: each for each in home})
    if "FAIL" in states and not found:
        raise OSError(f"{USERS}: Dovecot can't look up users")
    return found


def _lines(text: str) -> list[str]:
    """Return the lines; `str.splitlines` ends them at other characters too, which a name may have."""
    return text.removesuffix("\n").split("\n") if text else []


def _doveadm(arguments: list[str]) -> str:
    done = subprocess.run(["doveadm", *arguments], capture_output=True, text=True, timeout=SECONDS)
    if done.returncode:
        raise OSError(f"doveadm {arguments[0]}: status {done.returncode}")  # its words name users
    return done.stdout
