"""Draw the screens of the pages: a command and what it printed, as SVG.

The tests of the commands call it: so a screen is one that a host gave. `make pictures` keeps them.
"""

from __future__ import annotations

from html import escape

_LETTER, _LINE, _EDGE = 8, 18, 16
"""The width of a letter, the height of a line and the margin, in pixels: no font is asked, as each machine
has others."""
_STYLE = "text{font:13px ui-monospace,monospace;fill:#dbe4ee}.typed{fill:#8fd18f}"


def draw(command: str, printed: str) -> str:
    """Return the picture of a command and the lines that it printed, as SVG."""
    lines = [f"$ {command}", "", *printed.rstrip("\n").split("\n")]
    width = max(map(len, lines)) * _LETTER + 2 * _EDGE
    height = len(lines) * _LINE + 2 * _EDGE
    view = f'viewBox="0 0 {width} {height}" width="{width}"'
    head = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {view} role="img">',
        f"<title>{escape(command)}</title><style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" rx="8" fill="#1c2733"/>',
    ]
    texts = [_line(text, number) for number, text in enumerate(lines) if text]
    return "\n".join([*head, *texts, "</svg>\n"])


def _line(text: str, number: int) -> str:
    """Return a line of the screen; the first one is what a person typed."""
    typed = "" if number else ' class="typed"'
    place = f'x="{_EDGE}" y="{_EDGE + (number + 0.75) * _LINE:g}" textLength="{len(text) * _LETTER}"'
    return f'<text{typed} xml:space="preserve" {place}>{escape(text)}</text>'
