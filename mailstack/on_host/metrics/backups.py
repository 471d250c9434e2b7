"""The last backup, as ``mailstack.on_host.backup`` has recorded it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .text import Metric, gauge

RECORD = Path("/var/lib/mailstack/backup.json")
_NEVER = "or 0 for never."


def metrics(hours: int | None) -> Iterator[Metric]:
    """Yield the age, the result and the size of the last backup, and the state of the repository.

    + hours: the time between two backups; nothing is yielded if there are none
    """
    if hours is None:
        return
    last = _last()
    values = {
        "backup_interval_seconds": ("The time between two backups.", hours * 3600),
        "backup_good_timestamp_seconds": (f"When the last good backup was begun, {_NEVER}", last.get("good")),
        "backup_failed": ("Whether the last backup failed.", bool(last.get("failed"))),
        "backup_mail_bytes": ("The size of the mail in the last backup.", last.get("bytes")),
        "backup_seconds": ("How long the last backup took.", last.get("seconds")),
        "backup_checked_timestamp_seconds": (
            f"When the repository was found to be right, {_NEVER}",
            last.get("checked"),
        ),
        "backup_damaged": ("Whether the repository is damaged.", bool(last.get("damaged"))),
    }
    for name, (text, value) in values.items():
        yield gauge(name, text, [({}, float(value or 0))])


def _last() -> dict[str, Any]:
    """Return the record; nothing before the first backup. Raises ``ValueError`` for one that is damaged."""
    try:
        found = json.loads(RECORD.read_text("utf-8"))
    except FileNotFoundError:
        return {}
    if not isinstance(found, dict):
        raise ValueError(f"{RECORD} has no result of a backup")
    return found
