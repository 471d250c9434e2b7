"""Lines of text, and text for a person's terminal. Pure."""

from __future__ import annotations

from collections.abc import Sequence


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
    """Return a table with a line for the head and for each row, printable; empty columns are left out."""
    kept = [number for number in range(len(head)) if any(row[number] for row in rows)]
    columns = [[head[number], *(printable(row[number]) for row in rows)] for number in kept]
    form = "  ".join(f"{{:{max(map(len, column))}}}" for column in columns)
    return "".join(f"{form.format(*line).rstrip()}\n" for line in zip(*columns, strict=True))
