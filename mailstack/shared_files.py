"""Files that others write too: our lines are a marked block at the top, theirs stay as they are. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

BEGIN = "# BEGIN mailstack. Written by mailstack; changes made in this block are undone by the next run."
END = "# END mailstack"
_MARK = BEGIN.partition(".")[0]
_WHOLE = "# Written by mailstack"
"""How the file begins where an earlier version, which owned all of it, wrote it."""

Compose = Callable[[str], str]
"""Returns the lines of our block, given the lines of others: whole lines, or nothing for no block."""


def whole(text: str, compose: Compose, claimed: Callable[[str], bool] | None = None) -> str:
    """Return the file with our block at the top, and nothing else changed.

    + text: the file as it is; empty if there is none
    + compose: makes the block
    + claimed: whether a line that stands outside the block is ours too, and goes
    """
    theirs = _others(text, set(compose("").split("\n")))
    if claimed:
        theirs = "\n".join(line for line in theirs.split("\n") if not claimed(line))
    block = compose(theirs)
    return f"{BEGIN}\n{block}{END}\n{theirs}" if block else theirs


def has_ours(text: str) -> bool:
    """Return whether we have written the file before."""
    return text.startswith(_WHOLE) or f"\n{_MARK}" in f"\n{text}"


def block(lines: Sequence[str]) -> Sequence[str]:
    """Return our block, with its marks; all lines if nobody else writes the file."""
    return lines[: lines.index(END) + 1] if END in lines else lines


def _others(text: str, ours: set[str]) -> str:
    """All but the block. Where its end is missing, nobody knows which of the lines after it are ours: those
    that we would write are.
    """
    if text.startswith(_WHOLE):
        return ""
    kept: list[str] = []
    block: list[str] | None = None
    for line in text.split("\n"):
        if line.startswith(_MARK):
            kept += _not_ours(block, ours)
            block = []
        elif line == END:
            block = None
        else:
            (kept if block is None else block).append(line)
    return "\n".join(kept + _not_ours(block, ours))


def _not_ours(block: list[str] | None, ours: set[str]) -> list[str]:
    # the empty line at the end is what follows the last newline
    return [line for line in block or [] if line not in ours or not line]
