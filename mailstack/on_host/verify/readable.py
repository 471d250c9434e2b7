"""Secrets on the host, and who can read them."""

from __future__ import annotations

import contextlib
import grp
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .results import Problem, Report

_SECRET = (b"PRIVATE KEY-----",)
_MOST = 20_000
"""Files of a directory that are looked at."""


def check(report: Report, files: Sequence[Mapping[str, Any]], directories: Sequence[str]) -> None:
    """Check the files that are not for everybody, and those in directories of secrets.

    + files: with ``path``, ``mode`` and ``group`` as declared
    """

    def look() -> str:
        wrong = [*_declared(files), *(each for path in directories for each in _inside(Path(path)))]
        if wrong:
            listed = ", ".join(sorted(set(wrong))[:5])
            commands = "; ".join(f"chmod o-rwx {path}" for path in sorted(set(wrong))[:5])
            more = f" and {len(set(wrong)) - 5} more" if len(set(wrong)) > 5 else ""
            raise Problem(
                f"others can read {listed}{more}",
                f"pyinfra INVENTORY deploy.py restores its mode, or: {commands}; then change the secret",
            )
        return f"{len(files)} files and {len(directories)} directories"

    report.check("refused", "no secret can be read by others", look)


def _declared(files: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for each in files:
        with contextlib.suppress(OSError):
            state = Path(each["path"]).stat()  # where a link leads counts
            if stat.S_ISSOCK(state.st_mode):
                continue
            open_to_all = bool(state.st_mode & 0o006) and _can_enter(Path(each["path"]).parent)
            if open_to_all or _open_to_group(state, each):
                yield each["path"]


def _open_to_group(state: os.stat_result, each: Mapping[str, Any]) -> bool:
    """Return whether a group can read it that should not."""
    if not state.st_mode & 0o060:
        return False
    try:
        right = grp.getgrnam(each["group"]).gr_gid
    except KeyError:
        return False
    return state.st_gid not in (0, right) or (not each["mode"] & 0o060 and state.st_gid != 0)


def _inside(directory: Path) -> Iterator[str]:
    """Find files with a private key that others can read."""
    seen = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            path = Path(folder, name)
            seen += 1
            with contextlib.suppress(OSError):
                state = path.stat()
                if not stat.S_ISREG(state.st_mode) or not state.st_mode & 0o006:
                    continue
                with path.open("rb") as file:
                    start = file.read(4096)
                if (any(mark in start for mark in _SECRET) or path.suffix == ".key") and _can_enter(
                    path.parent
                ):
                    yield str(path)
        if seen > _MOST:
            return


def _can_enter(directory: Path) -> bool:
    """Return whether other users can reach what is in a directory."""
    real = Path(os.path.realpath(directory))
    return all(each.stat().st_mode & 0o001 for each in (real, *real.parents))
