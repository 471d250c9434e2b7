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
_MOST = 200_000
"""Files of a directory that are looked at."""


def check(report: Report, files: Sequence[Mapping[str, Any]], directories: Sequence[str]) -> None:
    """Check the files that are not for everybody, and those in directories of secrets.

    + files: with ``path``, ``mode`` and ``group`` as declared
    + directories: where others keep secrets; a file among them is one itself
    """

    def look() -> str:
        wrong = dict(_declared(files))
        restored = {*wrong}
        cut = []
        for path in map(Path, directories):
            if _wide_open(path):
                wrong[str(path)] = f"chmod o-rwx {path}"
            elif path.is_dir():
                found, whole = _inside(path)
                wrong |= {each: f"chmod o-rwx {each}" for each in found}
                cut += [] if whole else [f"of {path}, the first {_MOST} files alone"]
        if wrong:
            shown = sorted(wrong)[:5]
            more = f" and {len(wrong) - 5} more" if len(wrong) > 5 else ""
            # a deploy leaves alone what others have put there, such as a package its secret
            deploy = "pyinfra INVENTORY deploy.py restores its mode, or: " if wrong.keys() <= restored else ""
            raise Problem(
                f"others can read {', '.join(shown)}{more}",
                f"{deploy}{'; '.join(wrong[path] for path in shown)}; then change the secret",
            )
        return "; ".join([f"{len(files)} files and {len(directories)} directories", *cut])

    report.check("refused", "no secret can be read by others", look)


def _declared(files: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    """Find files that others can read, each with the command that ends it."""
    for each in files:
        with contextlib.suppress(OSError):
            path = each["path"]
            state = Path(path).stat()  # where a link leads counts
            if stat.S_ISSOCK(state.st_mode):
                continue
            if state.st_mode & 0o006 and _can_enter(Path(path).parent):
                yield path, f"chmod o-rwx {path}"
            elif _open_to_group(state, each):
                group = each["group"] if each["mode"] & 0o060 else ""
                yield path, f"chgrp {group} {path}" if group else f"chmod g-rwx {path}"


def _open_to_group(state: os.stat_result, each: Mapping[str, Any]) -> bool:
    """Return whether a group can read it that should not."""
    if not state.st_mode & 0o060:
        return False
    try:
        right = grp.getgrnam(each["group"]).gr_gid
    except KeyError:
        return False
    return state.st_gid not in (0, right) or (not each["mode"] & 0o060 and state.st_gid != 0)


def _wide_open(path: Path) -> bool:
    """Return whether others can read a file that is a secret."""
    with contextlib.suppress(OSError):
        return path.is_file() and bool(path.stat().st_mode & 0o006) and _can_enter(path.parent)
    return False


def _inside(directory: Path) -> tuple[list[str], bool]:
    """Return the files with a private key that others can read, and whether all were looked at."""
    found: list[str] = []
    seen = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            if seen == _MOST:
                return found, False
            seen += 1
            path = Path(folder, name)
            with contextlib.suppress(OSError):
                if _wide_open(path) and _is_key(path):
                    found.append(str(path))
    return found, True


def _is_key(path: Path) -> bool:
    with path.open("rb") as file:
        start = file.read(4096)
    return any(mark in start for mark in _SECRET) or path.suffix == ".key"


def _can_enter(directory: Path) -> bool:
    """Return whether other users can reach what is in a directory."""
    real = Path(os.path.realpath(directory))
    return all(each.stat().st_mode & 0o001 for each in (real, *real.parents))
