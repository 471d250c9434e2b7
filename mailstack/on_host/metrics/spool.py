"""The queue of Postfix, from its files.

postqueue(1) reads each message, and takes minutes for a large queue. Here that is the first record alone.
"""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from .text import Metric, gauge

SPOOL = Path("/var/spool/postfix")
QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")
AGES = {"under_5m": 300, "under_1h": 3600, "under_1d": 86400, "over_1d": float("inf")}
LOOKED_AT = 20_000
"""Messages of a queue whose age is looked at; the hashed names of the others are as good a sample."""

_ARRIVED = re.compile(rb"T[\x0b-\x1f](\d{9,11}) \d{1,6}")
"""The record with the time of arrival, see rec_type(3) in Postfix's source."""


def metrics(now: float) -> Iterator[Metric]:
    """Yield the messages by queue and age, and the age of the oldest."""
    counted, oldest = [], []
    for queue in QUEUES:
        ages, unknown = _ages(SPOOL / queue, now)
        by_age = dict.fromkeys(AGES, 0)
        for age in ages:
            by_age[next(name for name, limit in AGES.items() if age < limit)] += 1
        counted += [({"queue": queue, "age": name}, float(number)) for name, number in by_age.items()]
        counted.append(({"queue": queue, "age": "unknown"}, float(unknown)))
        oldest.append(({"queue": queue}, max(ages, default=0.0)))
    yield gauge("queue_messages", "Messages in the queue, by their age.", counted)
    yield gauge("queue_oldest_seconds", "The age of the oldest message, 0 for none.", oldest)


def _ages(directory: Path, now: float) -> tuple[list[float], int]:
    """Return the ages of messages, and the number of those without."""
    ages: list[float] = []
    unknown = 0
    for path in _files(directory):
        arrived = _arrived(path) if len(ages) < LOOKED_AT else None
        if arrived is None:
            unknown += 1
        else:
            ages.append(max(0.0, now - arrived))
    return ages, unknown


def _files(directory: Path | str) -> Iterator[str]:
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _files(entry.path)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path


def _arrived(path: str) -> float | None:
    """Return the time of arrival; nothing for a message that is not complete, or gone by now."""
    with contextlib.suppress(FileNotFoundError), Path(path).open("rb") as file:
        if found := _ARRIVED.search(file.read(512)):
            return float(found[1])
    return None
