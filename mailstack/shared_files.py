"""Files with lines of others: mailstack's are a marked block at the top, others stay unchanged. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence

BEGIN = "# BEGIN mailstack. Written by mailstack; changes made in this block are undone by the next run."
END = "# END mailstack"
_MARK = BEGIN.partition(".")[0]
_WHOLE = "# Written by mailstack"
"""The first line of a file that an earlier version wrote, which owned the whole file."""

Compose = Callable[[str], str]
"""Returns the block's lines, given the lines of others: whole lines, or none for no block."""


def whole(text: str, compose: Compose, claimed: Callable[[str], bool] | None = None) -> str:
    """Return the file with the block at the top, and nothing else changed.

    + text: the existing file; empty if there is none
    + compose: returns the block's lines
    + claimed: whether a line outside the block is mailstack's too, and is removed
    """
    others = _others(text, set(compose("").split("\n")))
    if claimed:
        others = "\n".join(line for line in others.split("\n") if not claimed(line))
    block = compose(others)
    return f"{BEGIN}\n{block}{END}\n{others}" if block else others


def has_ours(text: str) -> bool:
    """Return whether mailstack has written the file before."""
    return text.startswith(_WHOLE) or f"\n{_MARK}" in f"\n{text}"


def block(lines: Sequence[str]) -> Sequence[str]:
    """Return the block, with its marks; all lines if an earlier version owned the file."""
    return lines[: lines.index(END) + 1] if END in lines else lines


def _others(text: str, lines: set[str]) -> str:
    """Return all lines outside the block.

    If its end is missing, only the lines that mailstack would write are taken as the block's.
    """
    if text.startswith(_WHOLE):
        return ""
    kept: list[str] = []
    block: list[str] | None = None
    for line in text.split("\n"):
        if line.startswith(_MARK):
            kept += _not_ours(block, lines)
            block = []
        elif line == END:
            block = None
        else:
            (kept if block is None else block).append(line)
    return "\n".join(kept + _not_ours(block, lines))


def _not_ours(block: list[str] | None, lines: set[str]) -> list[str]:
    # the empty last line follows the last newline
    return [line for line in block or [] if line not in lines or not line]
