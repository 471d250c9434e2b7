"""Put a home from a backup in its place. It runs as the user of the mail, in a directory for what was there.

On standard input comes ``{"source": …, "home": …}``: the home as it was read, and where it belongs. On
standard output comes ``{"aside": …}``: whether what was there has something that the new home lacks.
"""

from __future__ import annotations

import json
import os
import pwd
import sys
from pathlib import Path

from .folders import has_mail

FORMATS = {"Maildir": "maildir", "sdbox": "sdbox"}
"""The directories in a home that have the mail, with the name of their format."""


def put(source: Path, home: Path, aside: Path) -> dict[str, bool]:
    """Put all in its place, and return whether what was there before is still needed.

    The mail comes last: if it is cut off, nothing is lost, and the next run does all again.

    Raises ``PermissionError``, before anything is changed, for a directory that this user can't move.
    """
    home.mkdir(parents=True, exist_ok=True)
    moved = [home / each.name for each in source.iterdir()]
    # a link in a home is moved itself, and a home may be one
    for there in (home, *(each for each in moved if not each.is_symlink())):
        if there.is_dir() and not os.access(there, os.W_OK):
            me = pwd.getpwuid(os.getuid()).pw_name
            raise PermissionError(f"{there} must belong to {me}, who must be able to write there")
    for each in sorted(source.iterdir(), key=lambda each: each.name in FORMATS):
        there = home / each.name
        if os.path.lexists(there):
            there.rename(aside / each.name)
        each.rename(there)
    # the user may have got mail, or made a filter, in the meantime
    return {"aside": has_mail(aside) or _has_others(aside, home)}


def _has_others(before: Path, home: Path) -> bool:
    """Return whether a home of before has files that the new one does not have, beside mail.

    They may be in a directory of root's that this user can't read, and that root would delete then.
    """
    unread: list[OSError] = []
    for directory, names, files in os.walk(before, onerror=unread.append):
        here = Path(directory)
        if here == before:
            names[:] = [each for each in names if each not in FORMATS]
            files[:] = [each for each in files if each not in FORMATS]
        for file in (here / each for each in files):
            if file.is_symlink() or not file.is_file() or file.suffix == ".svbin":  # made by Dovecot
                continue
            if not _same(file, home / file.relative_to(before)):
                return True
    return bool(unread)


def _same(one: Path, other: Path) -> bool:
    try:
        return one.read_bytes() == other.read_bytes()
    except OSError:  # it is missing, or may be of root
        return False


def main() -> int:
    """Read where, and put all there."""
    told = json.loads(sys.stdin.readline())
    try:
        found = put(Path(told["source"]), Path(told["home"]), Path())
    except PermissionError as error:
        sys.exit(str(error))
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
