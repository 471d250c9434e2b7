"""What Postfix's and Dovecot's daemons hold, whether they serve, and whether they give back after abuse."""

from __future__ import annotations

import time
from typing import NamedTuple

from tests.support import clients
from tests.support.guessing import GOOD, Attempt, Guesser
from tests.support.sample_accounts import ALICE, PASSWORDS, REMOTE
from tests.targets.containers import Target

#: The daemons that run as long as the service does. The others end some time after their last client.
_LASTING = {"master", "qmgr", "dovecot", "auth", "log"}
_CRASHES = r"(fatal|panic|Fatal|Panic): |killed with signal|Out of memory"
_LOOK = r"""
import os, re
for process in filter(str.isdecimal, os.listdir("/proc")):
    try:
        read = lambda name: open(f"/proc/{process}/{name}").read()
        if re.search(r"/(postfix|dovecot)[^/]*\.service$", read("cgroup"), re.M):
            parent, memory = re.search(r"PPid:\s*(\d+).*RssAnon:\s*(\d+)", read("status"), re.S).groups()
            print(process, parent, len(os.listdir(f"/proc/{process}/fd")), memory, read("comm"), end="")
    except (OSError, AttributeError):
        pass  # it has ended
"""


class Daemon(NamedTuple):
    """A process: its name, the number of its open files, and its own memory in MB."""

    name: str
    files: int
    memory: float


def held(target: Target) -> dict[int, Daemon]:
    """Return the processes of Postfix and Dovecot, by their ids; none that is still a copy of its master."""
    rows = [line.split(maxsplit=4) for line in target.exec(["python3", "-c", _LOOK]).stdout.splitlines()]
    names = {process: name for process, *_, name in rows}
    return {
        int(process): Daemon(name, int(files), int(memory) / 1000)
        for process, parent, files, memory, name in rows
        if name != names.get(parent)
    }


def crashes(target: Target) -> list[str]:
    """Return the lines of the mail log about daemons that crashed."""
    return clients.log(target, _CRASHES)


def assert_given_back(target: Target, before: dict[int, Daemon]) -> None:
    """Assert that the daemons hold about as much as before, some time after their clients have gone.

    16 files and 16 MB more are spares: a hundred connections or one large message take more.
    """
    lasting = {process: daemon for process, daemon in before.items() if daemon.name in _LASTING}

    def kept() -> list[str]:
        now = held(target)
        both = [(old, now.get(process, Daemon("gone", 0, 0))) for process, old in lasting.items()]
        return [
            f"{old} is {new}"
            for old, new in both
            if new.name == "gone" or new.files > old.files + 16 or new.memory > old.memory + 16
        ]

    deadline = time.monotonic() + 120
    while found := kept():
        assert time.monotonic() < deadline, found
        time.sleep(1)


def assert_served(target: Target, peer: Target) -> None:
    """Assert that mail comes in, and that a user logs in by each protocol, from the peer's address."""
    attempts = [Attempt(service, ALICE, PASSWORDS[ALICE]) for service in ("imap", "pop3", "sieve", "smtp")]
    letter = ("--from", f"other@{REMOTE}", "--to", ALICE)

    def logins() -> bool:
        return Guesser(peer, target).log_in(peer.ip, *attempts) == [GOOD] * len(attempts)

    clients.eventually(logins, "no login by each protocol", 180)
    clients.eventually(lambda: not clients.swaks(peer, target, *letter).returncode, "no mail comes in", 180)
