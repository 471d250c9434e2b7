"""Bars of some tables of `results.md`, for the pages of docs/; `make pictures` draws them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from bench.report import RESULTS
from tests.targets.shell import ROOT

PICTURES = ROOT / "docs/pictures"


class Chart(NamedTuple):
    """A picture of a table: a row of bars for each of its rows.

    + name: the picture is `bench-NAME.svg`
    + table: the title of the table in `results.md`
    + columns: the columns that are drawn; the first column of the table names the rows
    """

    name: str
    table: str
    columns: Sequence[str]


CHARTS = (
    Chart("first-deploy", "First deploy over @docker", ["seconds"]),
    Chart("later-runs", "Later runs over @docker", ["seconds"]),
    Chart("messages", "Messages a second, Debian 13", ["accepted", "delivered"]),
)


def figures(chart: Chart, page: str) -> dict[str, list[str]]:
    """Return the cells that a chart shows, by the names of the rows. Raises ``ValueError`` without them."""
    found = re.search(rf"^### {re.escape(chart.table)}\n\n((?:\|.*\n)+)", page, re.MULTILINE)
    if not found:
        raise ValueError(f"results.md has no table {chart.table!r}")
    head, _, *rows = [line.strip("|\n ").split(" | ") for line in found[1].split("\n") if line]
    places = [head.index(column) for column in chart.columns]
    return {row[0].replace("`", ""): [row[place] for place in places] for row in rows}


def draw() -> list[Path]:
    """Draw all charts whose table is in `results.md`."""
    page = RESULTS.read_text(encoding="utf-8")
    return [_plot(chart, figures(chart, page)) for chart in CHARTS if f"### {chart.table}\n" in page]


def _plot(chart: Chart, rows: dict[str, list[str]]) -> Path:
    # for this alone; the extra `bench` installs it
    import matplotlib
    from matplotlib.figure import Figure

    # text as text; and the same figures make the same bytes
    matplotlib.rcParams.update({"svg.fonttype": "none", "svg.hashsalt": "bench", "font.size": 9})
    count = len(chart.columns)
    figure = Figure(figsize=(7, 0.6 + 0.26 * count * len(rows)), layout="constrained")
    axes = figure.subplots()
    for at, column in enumerate(chart.columns):
        places = [row + at * 0.8 / count for row in range(len(rows))]
        cells = [cells[at] for cells in rows.values()]
        bars = axes.barh(places, [float(cell) for cell in cells], height=0.7 / count, label=column)
        axes.bar_label(bars, cells, padding=3)
    axes.set_yticks([row + 0.4 * (count - 1) / count for row in range(len(rows))], list(rows))
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    if count > 1:
        axes.legend(loc="lower right")
    axes.set_title(f"{chart.table}{', seconds' if chart.columns == ['seconds'] else ''}", loc="left")
    path = PICTURES / f"bench-{chart.name}.svg"
    figure.savefig(path, metadata={"Date": None})
    return path


if __name__ == "__main__":
    for drawn in draw():
        print(drawn.relative_to(ROOT))
