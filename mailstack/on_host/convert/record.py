"""The record of what was carried over, when, and what failed; for root alone."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

RECORD = Path("/var/lib/mailstack/convert.json")


def note(email: str, **about: Any) -> None:
    """Replace what the record has about a user, on the disk before it returns.

    + about: ``before`` and ``after``; once it has ended, ``messages`` and ``locked``, or ``failed``; and
      ``left``: why the old mail is not deleted
    """
    try:
        known = json.loads(RECORD.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        known = {}
    known[email] = {"at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **about}
    RECORD.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    new = RECORD.with_name(f".{RECORD.name}.new")
    new.touch(mode=0o600)
    with new.open("w", encoding="utf-8") as file:
        file.write(json.dumps(known) + "\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(RECORD)
