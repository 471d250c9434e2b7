"""Messages in a spool directory of Postfix: their files, and how to tell one from another."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

SPOOL = Path("/var/spool/postfix")
OUT = "mailstack-rescue/out"
"""The directory below a spool with the messages that were taken out of the queue."""
QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")
LOGS = ("bounce", "trace")
"""Reports that a sender will still get about a message. Postfix makes those in ``defer`` again."""
EXPIRED = stat.S_IXGRP
"""The bit of the mode by which Postfix knows a message of ``postsuper -e`` (``MAIL_QUEUE_STAT_EXPIRE``)."""
_ID = re.compile(r"[0-9A-Za-z]{6,40}\Z")
_SHORT = re.compile(r"[0-9A-F]{6,}\Z")
_TIME = ord("T")
"""The type of the record with the time of arrival, see rec_type(3) in Postfix's source."""
_ARRIVED = re.compile(rb"[0-9]{1,20}(?: [0-9]{1,6})?")
"""That time: seconds, and microseconds (REC_TYPE_TIME_FORMAT)."""


class Problem(Exception):  # noqa: N818 - it is a line for people
    """Raised with a line that says what prevents it."""


class Message(NamedTuple):
    """A message in a queue.

    + spool: the spool directory
    + root: the same, or the one below it with the same structure
    + path: the file with the message
    """

    spool: Path
    root: Path
    queue: str
    id: str
    path: Path

    @property
    def is_requeued(self) -> bool:
        """Whether ``postsuper -r`` has put it into ``maildrop``: pickup(8) knows that by owner and mode."""
        state = self.path.stat()
        own = state.st_uid == (self.spool / "incoming").stat().st_uid
        return own and not state.st_mode & stat.S_IROTH

    @property
    def is_expired(self) -> bool:
        """Whether ``postsuper -e`` wants it returned to its sender, unless it can be delivered now.

        Not if the file is open to more than Postfix makes it: a copy has lost the modes of all files then.
        """
        return self.path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO) == EXPIRED

    @property
    def is_complete(self) -> bool:
        """Whether Postfix had written all of it, and confirmed it to the client: see cleanup(8)."""
        return bool(self.path.stat().st_mode & stat.S_IXUSR)

    def log(self, kind: str) -> Path:
        """Return the path of a report about it."""
        return self.root / kind / self.id


def messages(spool: Path, unreadable: list[str], below: str = "") -> Iterator[Message]:
    """Find all messages below a spool directory, also in queues that are hashed.

    + unreadable: gets the paths that the disk does not give, and those of messages without a queue ID
    + below: the directory in it that has the queues, if it is not the spool directory itself
    """
    root = spool / below

    def failed(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):  # a queue without messages may not exist
            unreadable.append(str(error.filename))

    for queue in QUEUES:
        for folder, _, names in os.walk(root / queue, onerror=failed):
            for path in (Path(folder, name) for name in sorted(names)):
                try:
                    mode = path.lstat().st_mode
                except OSError as error:
                    failed(error)
                    continue
                if stat.S_ISREG(mode) and is_id(path.name):
                    yield Message(spool, root, queue, path.name, path)
                elif stat.S_ISREG(mode) and mode & stat.S_IXUSR:  # postsuper(1) was killed: ID#FIX
                    unreadable.append(str(path))


def read(path: Path) -> bytes:
    """Return the content of a file. Raises ``OSError`` for a link, as Postfix may be what made it."""
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
        return file.read()


def is_id(text: object) -> bool:
    """Return whether a text may be a queue ID, short or long (postconf(5), enable_long_queue_ids)."""
    return isinstance(text, str) and bool(_ID.match(text))


def id_of(former: str, inode: int) -> str:
    """Return the queue ID of a file with this inode, as ``postsuper -s`` names it.

    A short ID is the microseconds of the arrival, five digits, and the inode: so no two files of a file
    system have the same. A long one is unique on all hosts, and stays.
    """
    return f"{former[:5]}{inode:X}" if _SHORT.match(former) else former


def arrived(content: bytes) -> str:
    """Return the time of arrival, in seconds and microseconds. Raises ``Problem`` for anything but a message.

    Each record is a type, a length in groups of seven bits, and data, see rec_get(3) in Postfix's source.
    """
    at = 0
    try:
        while content[at] != _TIME:
            length, at = _length(content, at + 1)
            at += length
        length, at = _length(content, at + 1)
    except IndexError:
        raise Problem("it has no time of arrival") from None
    if not _ARRIVED.fullmatch(time := content[at : at + length]):  # else no line of the record would fit it
        raise Problem("its time of arrival is none")
    return time.decode()


def _length(content: bytes, at: int) -> tuple[int, int]:
    """Return the length of a record's data, and where they begin.

    Raises ``Problem`` for one of more than 28 bits, as rec_get(3) does.
    """
    length = 0
    for shift in (0, 7, 14, 21):
        byte = content[at]
        at += 1
        length |= (byte & 0x7F) << shift
        if byte < 0x80:
            return length, at
    raise Problem("it has a record that is too long")
