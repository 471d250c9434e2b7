"""Lines of text, and text for a person's terminal. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import repeat


def lines_of(text: str) -> list[str]:
    r"""Return the lines of text, without ``\n`` at their ends.

    ``str.splitlines`` ends lines at other characters too, such as U+2028, which a stranger may have sent.
    """
    return text.removesuffix("\n").split("\n") if text else []


def printable(text: str) -> str:
    """Return the text on one line, with ``?`` for each character that a terminal could act on.

    These are control characters, and those that change the direction of text.
    """
    return text if text.isprintable() else "".join(each if each.isprintable() else "?" for each in text)


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a table with a line for the head and for each row; see ``columns``."""
    return columns(zip(head, zip(*rows, strict=True), strict=bool(rows)))


def columns(named: Iterable[tuple[str, Sequence[str]]]) -> str:
    """Return a table of columns with their names, printable; empty columns are left out.

    It goes column by column: a list of accounts has 100,000 rows.
    """
    kept = [(name, *cells) for name, cells in named if any(cells)]
    kept = [cells if "".join(cells).isprintable() else (*map(printable, cells),) for cells in kept]
    padded = (map(str.ljust, cells, repeat(max(map(len, cells)))) for cells in kept)
    return "".join(f"{line.rstrip()}\n" for line in map("  ".join, zip(*padded, strict=True)))
