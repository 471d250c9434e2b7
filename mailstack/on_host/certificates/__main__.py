"""The command."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

from .files import CERTIFICATES, FailureError
from .keeper import Keeper

CONFIGURATION = Path("/etc/mailstack/certificates.json")
LOCK = Path("/run/mailstack-certificates.lock")


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Wait for other runs of this program."""
    with LOCK.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def main(arguments: list[str]) -> int:
    """Do what the first argument says."""
    os.umask(0o022)
    configuration = json.loads(CONFIGURATION.read_text("utf-8"))
    if arguments == ["check"]:
        faults = Keeper(configuration).faults()
        print("".join(f"{fault}\n" for fault in faults), end="")
        return 1 if faults else 0
    with alone():
        for left in CERTIFICATES.glob(".order.*"):  # by a killed one
            shutil.rmtree(left, ignore_errors=True)
        for left in CERTIFICATES.rglob(".*.new"):
            left.unlink()
        keeper = Keeper(configuration, patient=arguments != ["now"])
        keeper.reload()
        for wanted in keeper.of_host():
            keeper.mend_next(wanted)
        try:
            if arguments == ["roll"]:
                keeper.roll()
            else:
                keeper.look(domains=arguments != ["host"])
        except FailureError as failure:
            print(failure, file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
