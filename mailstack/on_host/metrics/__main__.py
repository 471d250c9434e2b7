"""The command."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from . import __doc__ as described
from . import backups, host, journal, quota, spool
from .counting import Counts
from .text import Metric, exposition, gauge

CONFIGURATION = Path("/etc/mailstack/metrics.json")
STATE = Path("/var/lib/mailstack-metrics")
SHOWN = Path("/var/lib/prometheus/node-exporter/mailstack.prom")

FAULTS = (OSError, subprocess.SubprocessError, ValueError, LookupError, TypeError, SyntaxError)
Part = Callable[[], Iterator[Metric]]


def main(arguments: list[str]) -> int:
    """Read everything, and write the file."""
    if arguments:
        print((described or "").split("\n\n")[1], file=sys.stderr)
        return 2
    os.umask(0o077)
    with (STATE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = _kept()
        text = exposition(_collected(kept, json.loads(CONFIGURATION.read_text("utf-8")), time.time()))
        _write(STATE / "state.json", json.dumps(kept), 0o600)
        _write(SHOWN, text, 0o644)
    return 0


def _kept() -> dict[str, Any]:
    """Return the state that the last run has left; without one, all begins at 0."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        kept = json.loads((STATE / "state.json").read_text("utf-8"))
        if isinstance(kept, dict):
            return kept
    return {}


def _collected(kept: dict[str, Any], configuration: dict[str, Any], now: float) -> Iterator[Metric]:
    """Yield all metrics; a part that fails is left out, and named."""
    begun = time.monotonic()
    counts = Counts(kept)
    mailboxes = quota.Mailboxes(kept.setdefault("quota", {}), STATE / "users")
    parts: dict[str, Part] = {
        "journal": lambda: _followed(kept, counts, now),
        "counters": counts.metrics,
        "queue": lambda: spool.metrics(now),
        "services": lambda: host.services(configuration["services"]),
        "certificates": lambda: host.certificates(kept.setdefault("certificates", {})),
        "disks": lambda: host.disks(configuration["disks"]),
        "checks": host.checks,
        "bans": host.bans,
        "backup": lambda: backups.metrics(configuration.get("backup_hours")),
        "quota": lambda: mailboxes.metrics(now),
    }
    failed: dict[str, str] = {}
    for name, part in parts.items():
        try:
            yield from list(part())
        except FAULTS as fault:
            failed[name] = str(fault) or repr(fault)
    for name in failed.keys() - kept.get("failed", []):
        print(f"{name}: {failed[name]}", file=sys.stderr)
    kept["failed"] = sorted(failed)
    faults = [({"part": name}, float(name in failed)) for name in parts]
    yield gauge("collection_failed", "Whether a part could not be read.", faults)
    yield gauge("collection_timestamp_seconds", "When this was read.", [({}, now)])
    yield gauge("collection_duration_seconds", "How long that took.", [({}, time.monotonic() - begun)])


def _followed(kept: dict[str, Any], counts: Counts, now: float) -> Iterator[Metric]:
    behind = journal.follow(kept.setdefault("journal", {}), now, counts.take)
    text = "By how much the reading of the journal is behind."
    yield gauge("journal_behind_seconds", text, [({}, behind)])


def _write(path: Path, text: str, mode: int) -> None:
    """Replace a file at once. Its directory may belong to another user, so no link is followed."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(file, "w", encoding="utf-8") as written:
        os.fchmod(file, mode)
        written.write(text)
    new.replace(path)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
