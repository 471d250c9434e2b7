"""Messages of a file in mbox format (RFC 4155), as bytes.

Programs differ in what they write. A line ``From SENDER DATE`` after an empty line begins a message; the line
needs a date, as others begin with ``From`` too. Where a message has a ``Content-Length`` that ends before
such a line, or at the end of the file, all lines up to there are its own.
"""

from __future__ import annotations

import calendar
import hashlib
import re
from collections import Counter
from collections.abc import Iterator
from email.utils import mktime_tz, parsedate_tz
from pathlib import Path
from typing import BinaryIO

_MONTHS = {name.encode(): number for number, name in enumerate(calendar.month_abbr) if number}
_FROM = re.compile(
    rb"From .*? (?P<month>" + b"|".join(_MONTHS) + rb") +(?P<day>\d{1,2}) +(?P<time>\d{1,2}:\d\d(?::\d\d)?)"
    rb"(?: +(?P<before>[+-]\d{4}|[A-Z]{1,5}))? +(?P<year>\d{4})(?: +(?P<after>[+-]\d{4}|[A-Z]{1,5}))?\s*$"
)
#: Fields that programs change: messages are known again by the others.
_CHANGING = re.compile(
    rb"(?im)^(?:Status|X-Status|X-Keywords|X-UID|X-IMAP|X-IMAPbase|Content-Length|X-Mozilla-\w+):.*\n"
)
_FLAGS = {"F": "F", "A": "R", "D": "T", "T": "D"}
"""The letters of ``X-Status``, and those of a Maildir."""


def first_line(path: Path) -> bool:
    """Return whether a file begins with a message."""
    with path.open("rb") as opened:
        return bool(_FROM.match(opened.readline(4096)))


def messages(file: BinaryIO) -> Iterator[tuple[str, bytes, int]]:
    """Yield each message's name in a Maildir, its bytes, and when it came, in seconds since 1970.

    A message has the same name in each copy of the file, whatever was read or deleted in between.
    """
    same: Counter[str] = Counter()
    for begin, content in _divided(file):
        header = content.partition(b"\n\n")[0] + b"\n"
        if _field(header, "X-IMAP") and b"FOLDER INTERNAL DATA" in header:
            continue  # of UW IMAP
        bare = _CHANGING.sub(b"", header) + content[len(header) :]
        key = hashlib.sha256(bare).hexdigest()[:32]
        same[key] += 1
        date = _date(begin, header)
        yield f"{date}.{key}.{same[key]}:2,{_flags(header)}", content, date


def _divided(file: BinaryIO) -> Iterator[tuple[bytes, bytes]]:
    """Yield the first line of each message, and what follows, with LF at the ends of lines."""
    begin = file.readline()
    while begin:
        content, begin_of_next = _content(file)
        yield begin, content.replace(b"\r\n", b"\n")
        begin = begin_of_next


def _content(file: BinaryIO) -> tuple[bytes, bytes]:
    """Return a message, and the first line of the next one."""
    lines: list[bytes] = []
    while (line := file.readline()).strip(b"\r\n"):
        if not lines or not _FROM.match(line):
            lines.append(line)
            continue
        return b"".join(lines), line  # a header without a body
    header = b"".join(lines)
    if not line:
        return header, b""
    lines = [header, line]
    if known := _by_length(file, header):
        return b"".join([*lines, known[0]]), known[1]
    empty = True
    for line in iter(file.readline, b""):
        if empty and _FROM.match(line):
            lines.pop()  # the empty line belongs to the format
            return b"".join(lines), line
        empty = not line.strip(b"\r\n")
        lines.append(line)
    return b"".join(lines), b""


def _by_length(file: BinaryIO, header: bytes) -> tuple[bytes, bytes] | None:
    """Return a body of the length that its header says, and the first line of the next message."""
    length = _field(header, "Content-Length")
    if not length.isdigit() or len(length) > 12:
        return None
    place = file.tell()
    body = file.read(int(length))
    line = file.readline()
    while line and not line.strip(b"\r\n"):
        line = file.readline()
    if len(body) == int(length) and (not line or _FROM.match(line)):
        return body, line
    file.seek(place)
    return None


def _field(header: bytes, name: str) -> str:
    found = re.search(rb"(?im)^%b:[ \t]*(.*?)\s*$" % name.encode(), header)
    return found[1].decode("latin-1") if found else ""


def _date(begin: bytes, header: bytes) -> int:
    text = _field(header, "Date")
    if found := _FROM.match(begin):
        part = {name: (value or b"").decode() for name, value in found.groupdict().items()}
        zone = part["before"] or part["after"] or "+0000"
        text = f"{part['day']} {part['month']} {part['year']} {part['time']} {zone}"
    parsed = parsedate_tz(text)
    try:
        return max(0, int(mktime_tz(parsed))) if parsed else 0
    except (ValueError, OverflowError):
        return 0


def _flags(header: bytes) -> str:
    read = "S" if "R" in _field(header, "Status") else ""
    marks = {_FLAGS[letter] for letter in _field(header, "X-Status") if letter in _FLAGS}
    return "".join(sorted({*marks, *read}))
