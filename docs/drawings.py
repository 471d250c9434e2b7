"""Draw the boxes and arrows of the pages: `pictures/NAME.txt` becomes `pictures/NAME.svg`.

A text is a title, a table of boxes, frames around some of them, and arrows, each with a label or none:

    Where mail goes

    | Other servers | Postfix | Dovecot |

    mail.example.org = Postfix, Dovecot

    Other servers -> Postfix: SMTP
    Postfix <-> Dovecot

`python -m docs.drawings` draws all; `make pictures` calls it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import NamedTuple

PICTURES = Path(__file__).with_name("pictures")
_HEIGHT, _ROW, _PAD, _EDGE = 44, 74, 18, 24
_LETTER = 7.4
"""The width of a letter, in pixels: no font is asked, as each machine has others."""
_APART = 9
"""The distance of two arrows between the same boxes from the middle, in pixels."""
_ARROW = re.compile(r"(.+?) (<?->) ([^:]+?)(?:: (.+))?")
_STYLE = (
    "text{font:13px system-ui,sans-serif;fill:#1c2733;text-anchor:middle;dominant-baseline:central}"
    ".box{fill:#eef4fb;stroke:#3d6fa5}.frame{fill:#fbfaf4;stroke:#b9ad85;stroke-dasharray:5 3}"
    ".arrow{stroke:#55606c;stroke-width:1.4;fill:none}"
    ".label{font-size:12px;fill:#55606c}.halo{font-size:12px;stroke:#fff;stroke-width:6px}"
)
_HEAD = (
    '<marker id="head" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" '
    'orient="auto-start-reverse"><path d="M0 0L10 5L0 10z" fill="#55606c"/></marker>'
)


class Box(NamedTuple):
    """A rectangle, in pixels: its middle and its size."""

    x: float
    y: float
    width: float
    height: float

    def towards(self, x: float, y: float) -> tuple[float, float]:
        """Return where the line from the middle to a point outside leaves the rectangle."""
        right, down = x - self.x, y - self.y
        share = min(
            self.width / 2 / abs(right) if right else 1, self.height / 2 / abs(down) if down else 1, 1
        )
        return self.x + share * right, self.y + share * down

    def has(self, x: float, y: float) -> bool:
        """Return whether a point is inside."""
        return abs(x - self.x) < self.width / 2 and abs(y - self.y) < self.height / 2


class Arrow(NamedTuple):
    """An arrow between two names, with heads at one end or both."""

    start: str
    both: bool
    end: str
    label: str


class Drawing(NamedTuple):
    """What a text says: its boxes row by row (empty text for an empty place), frames and arrows."""

    title: str
    rows: Sequence[Sequence[str]]
    frames: dict[str, Sequence[str]]
    arrows: Sequence[Arrow]


def read(text: str) -> Drawing:
    """Return what a text says. Raises ``ValueError`` for a line that says nothing, and for unknown names."""
    title, *lines = [line for line in text.split("\n") if line.strip()]
    rows = [[cell.strip() for cell in line.strip()[1:-1].split("|")] for line in lines if line[0] == "|"]
    boxes = {cell for row in rows for cell in row if cell}
    frames: dict[str, Sequence[str]] = {}
    arrows: list[Arrow] = []
    for line in (line for line in lines if line[0] != "|"):
        if found := _ARROW.fullmatch(line):
            arrows.append(Arrow(found[1], found[2] == "<->", found[3], found[4] or ""))
        elif " = " in line:
            name, _, members = line.partition(" = ")
            frames[name] = members.split(", ")
        else:
            raise ValueError(f"{line!r}: neither a row, nor a frame, nor an arrow")
    used = [each for arrow in arrows for each in (arrow.start, arrow.end)]
    used += [each for members in frames.values() for each in members]
    if unknown := [name for name in used if name not in boxes | frames.keys()]:
        raise ValueError(f"{unknown[0]!r}: no box and no frame has this name")
    return Drawing(title, rows, frames, arrows)


def draw(text: str) -> str:
    """Return the picture of a text, as SVG. Raises ``ValueError`` as `read` does, and for a hidden arrow."""
    drawing = read(text)
    boxes = _places(drawing)
    frames = {
        name: _around(name, [boxes[each] for each in members]) for name, members in drawing.frames.items()
    }
    every = [*boxes.values(), *frames.values()]
    left, top = (min(each[axis] - each[axis + 2] / 2 for each in every) - _EDGE for axis in (0, 1))
    right, bottom = (max(each[axis] + each[axis + 2] / 2 for each in every) + _EDGE for axis in (0, 1))
    shapes = [_shape("frame", name, box, -box.height / 2 + 12) for name, box in frames.items()]
    shapes += [_shape("box", name, box) for name, box in boxes.items()]
    shapes += _lines(drawing, boxes, frames)
    width, height = right - left, bottom - top
    paper = (
        f'<rect x="{left:.0f}" y="{top:.0f}" width="{width:.0f}" height="{height:.0f}" rx="8" fill="#fff"/>'
    )
    view = f'viewBox="{left:.0f} {top:.0f} {width:.0f} {height:.0f}" width="{width:.0f}"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {view} role="img">',
        f"<title>{escape(drawing.title)}</title><style>{_STYLE}</style><defs>{_HEAD}</defs>",
    ]
    return "\n".join([*head, paper, *shapes, "</svg>\n"])


def _places(drawing: Drawing) -> dict[str, Box]:
    """Return the place of each box: columns are as wide as their texts, and as far apart as labels need."""
    count = max(len(row) for row in drawing.rows)
    columns = [[row[at] for row in drawing.rows if at < len(row)] for at in range(count)]
    widths = [max(len(cell) for cell in column) * _LETTER + 28 for column in columns]
    gap = max((len(arrow.label) for arrow in drawing.arrows), default=0) * _LETTER * 0.9 + 46
    starts = [sum(widths[:at]) + at * gap for at in range(count)]
    return {
        cell: Box(starts[x] + widths[x] / 2, y * (_HEIGHT + _ROW), widths[x], _HEIGHT)
        for y, row in enumerate(drawing.rows)
        for x, cell in enumerate(row)
        if cell
    }


def _around(name: str, boxes: Sequence[Box]) -> Box:
    """Return the frame around boxes, with room for its name above them."""
    left, right = min(box.x - box.width / 2 for box in boxes), max(box.x + box.width / 2 for box in boxes)
    top, bottom = min(box.y - box.height / 2 for box in boxes), max(box.y + box.height / 2 for box in boxes)
    top, bottom = top - _PAD - 10, bottom + _PAD
    width = max(right - left + 2 * _PAD, len(name) * _LETTER + _PAD)
    return Box((left + right) / 2, (top + bottom) / 2, width, bottom - top)


def _shape(kind: str, name: str, box: Box, down: float = 0) -> str:
    """Return a rectangle and its name.

    + down: how far the name is below the middle, in pixels
    """
    x, y = box.x - box.width / 2, box.y - box.height / 2
    size = f'width="{box.width:.1f}" height="{box.height:.1f}"'
    text = f'<text x="{box.x:.1f}" y="{box.y + down:.1f}">{escape(name)}</text>'
    return f'<rect class="{kind}" x="{x:.1f}" y="{y:.1f}" {size} rx="6"/>{text}'


def _lines(drawing: Drawing, boxes: dict[str, Box], frames: dict[str, Box]) -> Iterator[str]:
    """Yield the arrows, and after them their labels, so that no arrow goes through a label."""
    labels = []
    pairs = Counter(frozenset((arrow.start, arrow.end)) for arrow in drawing.arrows)
    for arrow in drawing.arrows:
        start, end = ({**boxes, **frames}[name] for name in (arrow.start, arrow.end))
        if pairs[frozenset((arrow.start, arrow.end))] > 1:
            start, end = _aside(start, end)
        line = (start.towards(end.x, end.y), end.towards(start.x, start.y))
        _check_free(arrow, line, drawing, boxes)
        (x, y), (right, down) = line
        heads = ' marker-end="url(#head)"' + arrow.both * ' marker-start="url(#head)"'
        yield f'<path class="arrow" d="M{x:.1f} {y:.1f}L{right:.1f} {down:.1f}"{heads}/>'
        if arrow.label:
            text = f'x="{(x + right) / 2:.1f}" y="{(y + down) / 2:.1f}">{escape(arrow.label)}</text>'
            labels += [f'<text class="{kind}" {text}' for kind in ("halo", "label")]
    yield from labels


def _aside(start: Box, end: Box) -> tuple[Box, Box]:
    """Return both, moved to the left as seen from the start: the arrow back is on the other side then."""
    length = ((end.x - start.x) ** 2 + (end.y - start.y) ** 2) ** 0.5
    x, y = (end.y - start.y) / length * _APART, -(end.x - start.x) / length * _APART
    return start._replace(x=start.x + x, y=start.y + y), end._replace(x=end.x + x, y=end.y + y)


def _check_free(
    arrow: Arrow,
    line: tuple[tuple[float, float], tuple[float, float]],
    drawing: Drawing,
    boxes: dict[str, Box],
) -> None:
    """Check that an arrow goes through no other box. Raises ``ValueError``."""
    ends = {arrow.start, arrow.end}
    own = ends | {each for name in ends for each in drawing.frames.get(name, ())}
    (x, y), (right, down) = line
    points = [(x + (right - x) * step / 100, y + (down - y) * step / 100) for step in range(101)]
    for name, box in boxes.items():
        if name not in own and any(box.has(*point) for point in points):
            raise ValueError(f"{arrow.start} -> {arrow.end}: goes through {name}; give one another place")


if __name__ == "__main__":
    for source in sorted(PICTURES.glob("*.txt")):
        picture = source.with_suffix(".svg")
        picture.write_text(draw(source.read_text(encoding="utf-8")), encoding="utf-8")
        print(picture.relative_to(Path(__file__).parents[1]))
