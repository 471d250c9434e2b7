"""A host's state as sections, for a person and for programs. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple

from mailstack import __version__, text


class Trouble(NamedTuple):
    """Something that needs a person.

    + advice: what to do, as a sentence
    """

    text: str
    advice: str


@dataclass(frozen=True)
class Section:
    """One part of the state.

    + name: one word, such as ``queue``
    + lines: the text for a person
    + data: the same for programs
    """

    name: str
    lines: Sequence[str] = ()
    data: Any = None
    troubles: Sequence[Trouble] = ()


@dataclass(frozen=True)
class Screen:
    """The state of a host.

    + at: the clock of the host, in seconds since 1970
    """

    host: str
    at: int
    sections: Sequence[Section] = field(default_factory=tuple)

    @property
    def troubles(self) -> list[tuple[str, Trouble]]:
        """Everything that needs a person, with the name of its section."""
        return [(section.name, trouble) for section in self.sections for trouble in section.troubles]

    def json(self) -> str:
        """Return it as one JSON object."""
        shown: dict[str, Any] = {
            "host": self.host,
            "at": f"{moment(self.at, 'T')}Z",
            "mailstack": __version__,
            "ok": not self.troubles,
        }
        shown["troubles"] = [{"section": name, **each._asdict()} for name, each in self.troubles]
        shown |= {section.name: section.data for section in self.sections}
        return json.dumps(shown, indent=2) + "\n"

    def text(self) -> str:
        """Return it for a person, with the version of mailstack that looked; times are in UTC."""
        width = max((len(section.name) for section in self.sections), default=0) + 2
        lines = [f"{self.host}, {moment(self.at)} UTC, mailstack {__version__}", ""]
        for section in self.sections:
            heads = (section.name, *("" for _ in section.lines[1:]))
            lines += [
                f"{head:{width}}{line}" for head, line in zip(heads, section.lines or ("",), strict=True)
            ]
        lines += ["", f"{_count(self.troubles)} a person" if self.troubles else "Nothing needs a person."]
        for name, trouble in self.troubles:
            lines += [f"  {name}: {trouble.text}", f"    = {trouble.advice}"]
        return "".join(f"{text.printable(line).rstrip()}\n" for line in lines)


def _count(troubles: Sequence[object]) -> str:
    return "One thing needs" if len(troubles) == 1 else f"{len(troubles)} things need"


def moment(seconds: float, between: str = " ") -> str:
    """Return a time in UTC, to the minute, or with ``T`` to the second."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(between, "seconds")[: 19 if between == "T" else 16]


def lasting(seconds: float) -> str:
    """Return a span of time, such as ``3 h`` or ``12 days``."""
    for unit, size in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds // size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"


def ago(at: float, now: float) -> str:
    """Return a time, and how long ago it is."""
    return f"{moment(at)}, {lasting(now - at)} ago"


def size(count: float) -> str:
    """Return a number of bytes, such as ``12.3 GiB``."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def counted(count: int, word: str) -> str:
    """Return a number with its word, such as ``2 messages``."""
    return f"{count:,} {word if count == 1 else word + 's'}"


def listed(names: Iterable[str], most: int = 5) -> str:
    """Return the first names, and how many more there are."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
