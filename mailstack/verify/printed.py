"""What was found, as text and as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mailstack import text

_WORDS = {"ok": "ok", "failed": "FAILED", "warning": "warning", "skipped": "left out"}
_WIDTH = max(map(len, _WORDS.values()))
_SLOW = 0.1
"""Seconds from which a time is shown."""


def failed(found: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Return the checks that failed."""
    return [check for check in found["checks"] if check["state"] == "failed"]


def as_json(found: Mapping[str, Any]) -> str:
    """Return a host's answer as one line, as several hosts make JSON Lines."""
    return json.dumps({**found, "ok": not failed(found)}) + "\n"


def as_text(found: Mapping[str, Any]) -> str:
    """Return it for a person: the checks by their groups, what is wrong with advice, and a summary."""
    lines = [f"{found['host']}: {summary(found)}"]
    groups = dict.fromkeys(check["group"] for check in found["checks"])
    for group in groups:
        lines.append(group)
        checks = [check for check in found["checks"] if check["group"] == group]
        for number, check in enumerate(checks):
            lines.append(_line(check))
            after = checks[number + 1]["advice"] if number + 1 < len(checks) else ""
            if check["advice"] and check["advice"] != after:  # of several with the same, after the last one
                lines.append(f"{'':{_WIDTH + 4}}= {check['advice']}")
    return "".join(f"{text.printable(line)}\n" for line in lines)


def summary(found: Mapping[str, Any]) -> str:
    """Return how many checks there were, and how they ended."""
    checks: Sequence[Mapping[str, Any]] = found["checks"]
    count = {state: sum(1 for check in checks if check["state"] == state) for state in _WORDS}
    done = len(checks) - count["skipped"]
    parts = [f"{done} {'check' if done == 1 else 'checks'}", f"{count['failed']} failed"]
    parts += [f"{count['warning']} with a warning"] if count["warning"] else []
    parts += [f"{count['skipped']} left out"] if count["skipped"] else []
    return f"{', '.join(parts)}, in {found['seconds']:.1f} s"


def _line(check: Mapping[str, Any]) -> str:
    seen = f": {check['text']}" if check["text"] else ""
    took = f" ({check['seconds']:.1f} s)" if check["seconds"] >= _SLOW else ""
    return f"  {_WORDS[check['state']]:{_WIDTH}}  {check['title']}{seen}{took}"
