"""What restic says: on standard output objects of JSON, on standard error text, objects, or both."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Iterator
from typing import IO, Any

_TRACE = re.compile(r"\s|$|(?:github\.com|main|runtime|golang\.org)[/.]")
"""The lines of a stack trace, which restic prints with some errors."""
_REASONS = ("Fatal:", "Is there", "/", "ssh:", "subprocess ssh:", "unable to create lock in backend: ")
"""How a line begins that says why; what follows that of a lock is when it was made, and advice.

If restic of Debian 12 could not write a lock, the line of the lock has no reason: the lines before it have.
"""
_VANISHED = "no such file"


def told(errors: IO[str]) -> str:
    """Return what restic said on standard error as one line."""
    errors.seek(0)
    lines = [said for line in errors for said in _said(line).split("\n") if not _TRACE.match(said)]
    fatal = [line for line in lines if line.startswith(_REASONS)]
    return " ".join(fatal or lines[-3:])[:600] or "it failed without a word"


def unread(errors: IO[str]) -> str:
    """Return the files that a backup could not read, and why; without those that vanished meanwhile."""
    errors.seek(0)
    found = []
    for line in errors:
        with contextlib.suppress(ValueError):
            said = json.loads(line)
            if isinstance(said, dict) and said.get("message_type") == "error":
                reason = _reason(said.get("error"))
                found += [f"{said.get('item')}: {reason}"] if _VANISHED not in reason else []
    return "; ".join(found)[:600]


def _reason(error: object) -> str:
    """Return the reason of an error: restic of Debian 12 has the number of it instead."""
    if not isinstance(error, dict):
        return str(error)
    number = error.get("Err")
    return os.strerror(number).lower() if isinstance(number, int) else str(error.get("message", error))


def _said(line: str) -> str:
    """Return the text of a line, which with --json may be an object."""
    with contextlib.suppress(ValueError):
        found = json.loads(line)
        if isinstance(found, dict) and "message" in found:
            return str(found["message"])
    return line.rstrip()


def unreadable(line: str) -> str | None:
    """Return the path of a file that could not be restored, from a line of restic's errors."""
    with contextlib.suppress(ValueError):
        said = json.loads(line)
        return str(said["item"]) if isinstance(said, dict) and said.get("message_type") == "error" else None
    start, found, rest = line.strip().partition("ignoring error for ")
    return rest.partition(": ")[0] if found and not start else None


def objects(output: IO[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the objects, a line each."""
    for line in output or ():
        with contextlib.suppress(ValueError):
            found = json.loads(line)
            if isinstance(found, dict):
                yield found
