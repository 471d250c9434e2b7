"""Tables of measurements, and the page with all of them."""

from __future__ import annotations

import os
import platform
import re
import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import TypeVar

from tests.targets.shell import run

K = TypeVar("K")

RUNS = 5
GOAL_COLUMNS = ("what", "goal", "measured", "met")
RESULTS = Path(__file__).with_name("results.md")
_HEAD = "# Measurements\n\n`make bench` writes this page. Compare figures within a section only.\n\n"
_SHOWN = ("pyinfra", "ansible-core")


@dataclass(frozen=True)
class Table:
    """A table of measurements, as text ready to be printed.

    + title: nothing for the only table of a section
    + rows: the rows, each with a cell for every column
    + notes: notes for the reader, as Markdown
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: str = ""

    def __str__(self) -> str:
        lines = [self.columns, ["---"] * len(self.columns), *self.rows]
        table = "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
        title = f"### {self.title}" if self.title else ""
        return "\n\n".join(text for text in (title, table, self.notes) if text)


def median(measured: Callable[[], float], runs: int = RUNS) -> float:
    """Call ``measured`` several times, and return the median of its results."""
    return statistics.median(measured() for _ in range(runs))


def medians(measured: Mapping[K, Callable[[], float]], runs: int = RUNS) -> dict[K, float]:
    """Return the median of each, taken in turns, so that all see the same of what else the machine does."""
    found: dict[K, list[float]] = {name: [] for name in measured}
    for _ in range(runs):
        for name, measure in measured.items():
            found[name].append(measure())
    return {name: statistics.median(values) for name, values in found.items()}


def goal(what: str, wanted: str, measured: str, met: bool) -> list[str]:
    """Return a row under ``GOAL_COLUMNS``."""
    return [what, wanted, measured, "yes" if met else "no"]


def conditions() -> str:
    """Return the machine, the versions and the date, in one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    docker = run(["docker", "version", "--format", "{{.Server.Version}}"]).stdout.strip()
    versions = [f"Docker {docker}", f"Python {platform.python_version()}"]
    versions += [f"{name} {metadata.version(name)}" for name in _SHOWN if _installed(name)]
    return (
        f"{_processor()}, {os.cpu_count()} cores, {memory:.0f} GiB; {platform.system()} {platform.release()};"
        f" {', '.join(versions)}; {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    )


def section(part: str, conditions: str, tables: Iterable[Table]) -> str:
    """Return the section of one part: its tables, and the conditions of the measurement."""
    return "\n\n".join([f"## {part}", conditions, *map(str, tables)]) + "\n"


def keep(part: str, text: str, page: Path | None = None, head: str = _HEAD) -> None:
    """Put the section of a part in a page, instead of its older one.

    + page: ``bench/results.md`` if it is not given
    + head: what the page begins with
    """
    page = page or RESULTS
    old = page.read_text() if page.exists() else ""
    _, *sections = re.split(r"^(?=## )", old, flags=re.MULTILINE)
    kept = {found.partition("\n")[0]: found.strip() + "\n" for found in sections}
    kept[f"## {part}"] = text
    page.write_text(head + "\n".join(kept.values()))


def _installed(name: str) -> bool:
    return bool(list(metadata.distributions(name=name)))


def _processor() -> str:
    found = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    return found[1] if found else platform.machine()
