"""What the processes of a host hold, file descriptors and memory: read before a row and after it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from tests.targets.containers import Target

#: How much more a process may hold afterwards, beyond caches that fill: more is a leak.
MOST_FILES, MOST_MEBIBYTES = 100, 256
_READ = """
import json, os, pathlib, re
found = {}
for place in pathlib.Path("/proc").glob("[0-9]*"):
    try:
        started = (place / "stat").read_text().rpartition(")")[2].split()[19]
        memory = re.search(r"^RssAnon:\\s*(\\d+)", (place / "status").read_text(), re.M)
        name, files = (place / "comm").read_text().strip(), len(os.listdir(place / "fd"))
    except OSError:
        continue
    if memory:
        found[f"{place.name} {started}"] = name, files, int(memory[1]) >> 10
print(json.dumps(found))
"""


class Process(NamedTuple):
    """What a process holds: open files, and MiB of memory that no other has."""

    name: str
    files: int
    memory: int


#: By process ID and time of start, which no other process has.
Processes = Mapping[str, Process]


def read(host: Target) -> Processes:
    """Return what all processes hold at this moment."""
    found = json.loads(host.exec(["python3", "-c", _READ]).stdout)
    return {which: Process(*held) for which, held in found.items()}


@dataclass(frozen=True)
class Growth:
    """How much more the processes hold that lived all the while.

    + files, memory: open files, and MiB, of all together
    + leaks: the processes that hold far too much more, in words
    """

    files: int = 0
    memory: int = 0
    leaks: tuple[str, ...] = ()


def growth(before: Processes, after: Processes) -> Growth:
    """Compare two readings."""
    pairs = [(held, after[which]) for which, held in before.items() if which in after]
    return Growth(
        sum(now.files - then.files for then, now in pairs),
        sum(now.memory - then.memory for then, now in pairs),
        tuple(
            f"{now.name} grew from {then.files} to {now.files} open files, "
            f"from {then.memory} to {now.memory} MiB"
            for then, now in pairs
            if now.files - then.files > MOST_FILES or now.memory - then.memory > MOST_MEBIBYTES
        ),
    )
