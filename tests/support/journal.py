"""The warnings in a host's journal, and those that docs/troubleshooting.md explains."""

from __future__ import annotations

import re
from pathlib import Path

from tests.targets.containers import Target

TROUBLESHOOTING = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
SECTION = "## Harmless warnings in the journal"
#: A message of dbus about the container's limit of open files; no daemon of mailstack is involved.
OF_CONTAINERS = re.compile(r"dbus-daemon\[\d+\]: .*Failed to set fd limit")


def explained() -> list[re.Pattern[str]]:
    """Return the lines that the manual explains; `…` stands there for any text."""
    section = TROUBLESHOOTING.read_text().partition(SECTION)[2].partition("\n## ")[0]
    lines = re.findall(r"^\| `(.*?)` \|", section, re.MULTILINE)
    return [re.compile(".*".join(map(re.escape, line.split("…")))) for line in lines]


def complaints(host: Target) -> list[str]:
    """Return the host's journal since its first deploy, with priority warning or higher."""
    lines = host.exec("journalctl --priority=warning --output=short --no-pager --quiet").stdout.splitlines()
    return [line for line in lines if not OF_CONTAINERS.search(line)]
