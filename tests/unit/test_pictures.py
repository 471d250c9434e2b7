"""The pictures of the docs are those of their texts and figures."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest

from bench import bars
from bench.bars import CHARTS, Chart
from bench.report import RESULTS
from docs import drawings, screens
from tests.targets.shell import ROOT

SOURCES = sorted(drawings.PICTURES.glob("*.txt"))
ROWS = "A title\n\n| a | b | c |\n"


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_a_drawing_is_that_of_its_text(source: Path) -> None:
    made = source.with_suffix(".svg").read_text()
    assert made == drawings.draw(source.read_text()), "run: python -m docs.drawings"


def test_all_pictures_are_shown() -> None:
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
    shown = {name for page in pages for name in re.findall(r"!\[.+\]\(.*pictures/(.+?)\)", page.read_text())}
    assert shown == {picture.name for picture in drawings.PICTURES.iterdir()} - {one.name for one in SOURCES}


def test_the_parts_of_a_text() -> None:
    made = drawings.read(f"{ROWS}| | d |\n\nboth = a, d\na -> b\nboth <-> c: x, y\n")
    assert (made.title, made.rows) == ("A title", [["a", "b", "c"], ["", "d"]])
    assert made.frames == {"both": ["a", "d"]}
    assert [tuple(arrow) for arrow in made.arrows] == [("a", False, "b", ""), ("both", True, "c", "x, y")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("a -> x", "'x': no box and no frame"),
        ("f = a, x", "'x': no box and no frame"),
        ("what is this", "'what is this': neither a row"),
        ("a -> c: past b", "a -> c: goes through b"),
    ],
)
def test_what_can_not_be_drawn(line: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        drawings.draw(f"{ROWS}\n{line}\n")


def test_arrows_to_and_fro_are_apart() -> None:
    lines = re.findall(r'"arrow" d="M[\d.]+ ([-\d.]+)L', drawings.draw(f"{ROWS}\na -> b\nb -> a\n"))
    assert len({*lines}) == len(lines) == 2


def test_a_screen_has_the_lines_of_its_command() -> None:
    picture = ElementTree.fromstring(screens.draw("mailstack status", "queue  empty\n\n<&> 5 %\n"))
    lines = [each for each in picture.iter() if each.tag.endswith("text")]
    assert [each.text for each in lines] == ["$ mailstack status", "queue  empty", "<&> 5 %"]
    heights = [float(each.attrib["y"]) for each in lines]
    assert [after - before for before, after in pairwise(heights)] == [36, 36], "empty lines have their place"


@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.name)
def test_bars_have_the_measured_figures(chart: Chart) -> None:
    picture = (bars.PICTURES / f"bench-{chart.name}.svg").read_text()
    texts = set(re.findall(r">([^<>]+)</text>", picture))
    for name, cells in bars.figures(chart, RESULTS.read_text()).items():
        assert {name, *cells} <= texts, "run: make pictures"


def test_a_chart_without_its_table() -> None:
    with pytest.raises(ValueError, match="no table 'Messages a second"):
        bars.figures(CHARTS[-1], "# Measurements\n")
