"""Read the docstrings of commands. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from inspect import getdoc
from typing import NamedTuple

from mailstack.text import lines_of


class Documentation(NamedTuple):
    """What a docstring says.

    + summary: its first paragraph
    + parameters: what each parameter means
    + notes: the other paragraphs
    + examples: commands of pyinfra
    """

    summary: str
    parameters: dict[str, str]
    notes: list[str]
    examples: list[str]


def documentation(of: object) -> Documentation:
    """Return what the docstring of a command, or of a module, says."""
    first, *others = (getdoc(of) or "").split("\n\n")
    found = Documentation(_plain(first), {}, [], [])
    for paragraph in others:
        if paragraph.startswith("+ "):
            found.parameters.update(_parameters(paragraph))
        elif paragraph.startswith(" "):
            found.examples.extend(line.strip() for line in lines_of(paragraph))
        elif not paragraph.startswith(
            ("**Example", ".. code::", "Raises")
        ):  # errors are for callers in Python
            found.notes.append(_plain(paragraph))
    return found


def _parameters(paragraph: str) -> Iterator[tuple[str, str]]:
    """Yield the name of each parameter and its text: an item of the list may be about several."""
    for item in re.split(r"^\+ ", paragraph, flags=re.MULTILINE)[1:]:
        names, _, text = item.partition(": ")
        for name in names.split(", "):
            yield name, _plain(text)


def _plain(text: str) -> str:
    return " ".join(text.replace("``", "").split())
