"""Import the mail of one user; see the package."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from .files import STAGE, stage
from .imap import from_imap
from .plan import Plan, Problem, configure, counted, doveadm

AN_IMPORT = 7 * 24 * 3600
"""The seconds that doveadm may take."""
CHANGED, TIMES = 2, 5
"""doveadm's exit code if a mailbox changed meanwhile (doveadm-sync(1)), and how often it is tried then."""
EVERY = 15
"""The seconds between two lines with the number of messages."""


def bring(plan: Plan) -> None:
    """Import the mail, and say how that went. Raises ``Problem`` if it did not."""
    began = time.monotonic()
    configure(plan)
    before = counted(plan)  # makes a mailbox that has never been used
    where, number = from_imap(plan) if plan.source["kind"] == "imap" else stage(plan)
    plan.say(f"{number:,} messages in the source, {sum(before.values()):,} here")
    ended = threading.Event()
    watching = threading.Thread(target=watch, args=(plan, ended, sum(before.values())))
    watching.start()
    try:
        synchronise(plan, where)
    finally:
        ended.set()
        watching.join()
    after = counted(plan)
    new = {folder: count - before.get(folder, 0) for folder, count in after.items()}
    here = sum(after.values())
    if here < number and not plan.exclude:
        plan.say(f"not all is here: {number:,} messages in the source, {here:,} here; compare their folders")
    full = sum(1 for count in new.values() if count > 0)
    plan.say(f"{sum(new.values()):,} new messages in {full} folders, {time.monotonic() - began:.0f} s")


def synchronise(plan: Plan, where: list[str]) -> None:
    """Bring what is not here. Raises ``Problem`` if something changes each time."""
    left_out = [part for folder in plan.exclude for part in ("-x", folder)]
    for _ in range(TIMES):
        sync = ("sync", "-1", "-R", "-u", plan.email, *left_out, *where)
        code, _ = doveadm(plan, *sync, within=AN_IMPORT, accepted=(0, CHANGED))
        if code != CHANGED:
            return
    raise Problem("the mailbox changed each time, so something may be missing; import it once more")


def watch(plan: Plan, ended: threading.Event, before: int) -> None:
    """Say from time to time how many messages have come."""
    while not ended.wait(EVERY):
        with suppress(Problem):
            plan.say(f"{sum(counted(plan).values()) - before:,} new messages so far")


def main() -> None:
    """Do what the command line says."""
    plan = Plan(json.loads(Path(sys.argv[1]).read_text()))
    if sys.argv[2:] == ["undo"]:
        shutil.rmtree(STAGE, ignore_errors=True)
        return
    socket.setdefaulttimeout(60)
    try:
        bring(plan)
    except (Problem, OSError, ValueError, LookupError, subprocess.SubprocessError) as error:
        plan.say(f"not imported: {error}")
        sys.exit(1)


if __name__ == "__main__":
    main()
