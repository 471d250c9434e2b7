"""The command."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from . import __doc__ as described
from .files import CERTIFICATES, FailureError, finish
from .keeper import CONFIGURATION, Keeper

COMMANDS: tuple[list[str], ...] = ([], ["now"], ["host"], ["roll"], ["check"])
USAGE = (described or "").split("\n\n")[1]
LOCK = Path("/run/mailstack/certificates.lock")
"""In a directory for root alone: any user who can open a file can lock it."""
LIMIT = 2 * 3600
"""The seconds to wait for another run, which with dns-01 may take an hour."""


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Wait for other runs of this program.

    Raises ``FailureError`` if one does not end.
    """
    LOCK.parent.mkdir(mode=0o700, exist_ok=True)
    with LOCK.open("w") as lock:
        until = time.monotonic() + LIMIT
        while not _locked(lock):
            if time.monotonic() > until:
                raise FailureError(f"{LOCK}: another run has had it for {LIMIT // 3600} hours")
            time.sleep(0.2)
        yield


def _locked(lock: TextIO) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def main(arguments: list[str]) -> int:
    """Do what the first argument says."""
    if arguments not in COMMANDS:
        print(USAGE, file=sys.stderr)
        return 2
    os.umask(0o022)
    configuration = json.loads(CONFIGURATION.read_text("utf-8"))
    if arguments == ["check"]:
        return _tell(Keeper(configuration))
    try:
        with alone():
            keeper = Keeper(configuration, command="".join(arguments))
            _mend(keeper)
            if arguments == ["roll"]:
                keeper.roll()
            else:
                keeper.look(domains=arguments != ["host"])
    except (FailureError, OSError, subprocess.TimeoutExpired) as failure:
        print(failure, file=sys.stderr)
        return 1
    return _tell(keeper) if arguments == ["now"] else 0


def _tell(keeper: Keeper) -> int:
    faults = keeper.faults()
    print("".join(f"{fault}\n" for fault in faults), end="")
    return 1 if faults else 0


def _mend(keeper: Keeper) -> None:
    """Complete what a killed run has left."""
    for wanted in keeper.of_host():
        finish(wanted)
    for left in CERTIFICATES.glob(".order.*"):
        shutil.rmtree(left, ignore_errors=True)
    for left in CERTIFICATES.rglob(".*.new"):
        left.unlink()
    keeper.reload()
    for wanted in keeper.of_host():
        keeper.mend_next(wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
