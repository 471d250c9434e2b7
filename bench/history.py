"""The history of the measurements: a small JSON for each run of a part, and plots of them.

`make bench` writes and draws them after each part. `python -m bench.history` only draws `history/PART.svg`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from bench.report import GOAL_COLUMNS, Table
from tests.targets.shell import ROOT

HISTORY = Path(__file__).with_name("history")
#: The most dates that fit below a plot.
_DATES = 7
_NUMBER = re.compile(r"-?\d+(?:[.]\d+)?")


@dataclass(frozen=True)
class Run:
    """One run of a part.

    + part: the name of its module
    + at: its end
    + commit: the commit that was measured, with `-dirty` for one with changes; empty if nothing says it
    + conditions: the machine and the versions
    + tables: the cells of each table, by its title
    """

    part: str
    at: datetime
    commit: str
    conditions: str
    tables: Mapping[str, Mapping[str, Any]]

    @classmethod
    def of(cls, part: str, conditions: str, tables: Iterable[Table]) -> Run:
        """Return the run that has ended now."""
        cells = {
            table.title: {"columns": list(table.columns), "rows": [list(row) for row in table.rows]}
            for table in tables
        }
        return cls(part, datetime.now(UTC).replace(microsecond=0), _commit(), conditions, cells)

    @classmethod
    def read(cls, path: Path) -> Run:
        """Return the run of a file."""
        found = json.loads(path.read_text())
        return cls(**{**found, "at": datetime.fromisoformat(found["at"])})

    def write(self) -> Path:
        """Write the run into its own file in `HISTORY`."""
        HISTORY.mkdir(exist_ok=True)
        path = HISTORY / f"{self.part}-{self.at:%Y%m%dT%H%M%S}.json"
        text = json.dumps({**vars(self), "at": self.at.isoformat()}, ensure_ascii=False)
        path.write_text(f"{text}\n")
        return path


class Point(NamedTuple):
    """What a run says of a goal: the figures in the table.

    + measured, wanted: the measured figure, and the goal; ``None`` if the table has no number
    """

    at: datetime
    measured: float
    wanted: float | None


def points(runs: Iterable[Run]) -> dict[str, list[Point]]:
    """Return the figures of each goal of a part, the oldest first.

    Each has a name made of the table's title, what was measured, and the words of the goal, whose figure may
    change.
    """
    found: dict[str, list[Point]] = defaultdict(list)
    for run in sorted(runs, key=lambda run: run.at):
        for title, table in run.tables.items():
            if table["columns"] != list(GOAL_COLUMNS):
                continue
            for what, goal, measured, _ in table["rows"]:
                words = _NUMBER.sub("…", goal).strip("… ")
                name = f"{title}: {what}" + (f", {words}" if words else "")
                if (number := _number(measured)) is not None:
                    found[name].append(Point(run.at, number, _number(goal)))
    return dict(found)


def read() -> dict[str, list[Run]]:
    """Return all runs, by part."""
    found: dict[str, list[Run]] = defaultdict(list)
    for path in sorted(HISTORY.glob("*.json")):
        run = Run.read(path)
        found[run.part].append(run)
    return dict(found)


def draw() -> list[Path]:
    """Draw the goals of each part over time; a part without goals has no plot."""
    return [_plot(HISTORY / f"{part}.svg", goals) for part, runs in read().items() if (goals := points(runs))]


def _plot(path: Path, goals: Mapping[str, Sequence[Point]]) -> Path:
    """Draw each goal with all runs side by side, as their distances in time say nothing."""
    # for this alone; the extra `bench` installs it
    import matplotlib
    from matplotlib.figure import Figure

    # text as text; and the same figures make the same bytes
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 8})
    runs = sorted({point.at for found in goals.values() for point in found})
    figure = Figure(figsize=(8, 1.8 * len(goals)), layout="constrained")
    rows = figure.subplots(len(goals), squeeze=False)[:, 0]
    for axes, (what, found) in zip(rows, goals.items(), strict=True):
        places = [runs.index(point.at) for point in found]
        axes.plot(places, [point.measured for point in found], marker="o", label="measured")
        wanted = [float("nan") if point.wanted is None else point.wanted for point in found]
        axes.plot(places, wanted, linestyle="--", marker="_", color="tab:gray", label="goal")
        axes.set_title(what, loc="left")
        shown = range(0, len(runs), len(runs) // _DATES + 1)
        axes.set_xticks(shown, [f"{runs[place]:%Y-%m-%d %H:%M}" for place in shown])
        axes.set_xlim(-0.5, len(runs) - 0.5)
        axes.set_ylim(0, 1.15 * max([1e-9, *(value for point in found for value in point[1:] if value)]))
        axes.grid(axis="y", alpha=0.3)
    rows[0].legend(loc="lower left")
    figure.savefig(path, metadata={"Date": None} if path.suffix == ".svg" else None)
    return path


def _number(cell: str) -> float | None:
    found = _NUMBER.search(cell.replace(",", ""))
    return float(found[0]) if found else None


def _commit() -> str:
    said = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude", "*"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return said.stdout.strip()


if __name__ == "__main__":
    for drawn in draw():
        print(drawn.relative_to(ROOT))
