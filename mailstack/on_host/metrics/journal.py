"""The journal, from where the last run has stopped."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Sequence
from typing import Any

# By _SYSTEMD_UNIT, which journald itself sets: any user of the host can log as "postfix/smtpd".
_OF = [f"_SYSTEMD_UNIT={unit}.service" for unit in ("postfix", "postfix@-", "dovecot", "rspamd")]
_READ = ("journalctl", "--quiet", "--no-pager", "--all", "--output=json")
_FIELDS = "--output-fields=MESSAGE,SYSLOG_IDENTIFIER"
LINES, SECONDS = 100_000, 15
"""The most that a run reads; the next one goes on from there."""
FORGET = 3600
"""What is older when it is read is left out: it would be a peak at a time when nothing happened."""


def follow(kept: dict[str, Any], now: float, take: Callable[[str, str], None]) -> float:
    """Read what is new, and return by how many seconds the reading is behind.

    + kept: the place where the last run has stopped; it is changed
    + take: a function for the program and the text of each line

    The first run begins at the end, and so does one after a long pause, or after an error: the place may be
    one of another journal.
    """
    last = kept.pop("read", None)
    if last is None or not 0 <= now - last < FORGET:
        kept.update(cursor=_newest(), since=int(now), read=now)
        return 0.0
    start = f"--after-cursor={kept['cursor']}" if kept["cursor"] else f"--since=@{kept['since']}"
    behind = _take_all(kept, start, now, take)
    if behind < FORGET:
        kept["read"] = now
    return behind


def _newest() -> str | None:
    """Return the place of the newest line, or nothing if there is none."""
    done = subprocess.run([*_READ, _FIELDS, "-n1", *_OF], capture_output=True, timeout=60)
    entries = _parsed(done.stdout.split(b"\n"))
    return str(entries[-1]["__CURSOR"]) if entries else None


def _parsed(lines: Sequence[bytes]) -> list[dict[str, Any]]:
    found = []
    for line in lines:
        with contextlib.suppress(ValueError):  # the last of a file that was not closed
            found.append(json.loads(line))
    return found


def _take_all(kept: dict[str, Any], start: str, now: float, take: Callable[[str, str], None]) -> float:
    end, command = time.monotonic() + SECONDS, [*_READ, _FIELDS, start, *_OF]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as reading:
        assert reading.stdout and reading.stderr
        at = now
        for number, line in enumerate(reading.stdout, 1):
            for entry in _parsed([line]):
                take(_text(entry.get("SYSLOG_IDENTIFIER")), _text(entry.get("MESSAGE")))
                kept["cursor"], at = entry["__CURSOR"], int(entry["__REALTIME_TIMESTAMP"]) / 1e6
            if number >= LINES or (number % 1000 == 0 and time.monotonic() > end):
                reading.kill()
                return max(0.0, now - at)
        error = reading.stderr.read().decode(errors="replace").strip()
        if reading.wait(timeout=SECONDS):
            raise OSError(f"journalctl: {error}")
    return 0.0


def _text(value: object) -> str:
    """Return a field, which is a list of numbers if it is not text in UTF-8."""
    if isinstance(value, list):
        return bytes(each for each in value if isinstance(each, int)).decode(errors="replace")
    return value if isinstance(value, str) else ""
