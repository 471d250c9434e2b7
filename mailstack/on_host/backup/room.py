"""Room on disks: mail needs it more than a backup."""

from __future__ import annotations

import os
from pathlib import Path

from .restic import FailureError

_SHARE, _MOST = 0.03, 256 << 20
_FULL = (
    "nearly full",
    "no space left",
    "not enough space",
    "quota exceeded",
    "QuotaExceeded",
    "InsufficientStorage",
    "SSH_FX_FAILURE",
)
"""What is said of a repository without room; by sftp-server(8), of other faults, too."""


def reserve(place: Path) -> int:
    """Return the bytes that stay free on the disk of a directory."""
    found = os.statvfs(place)
    return int(min(_MOST, found.f_blocks * found.f_frsize * _SHARE))


def free(place: Path) -> int:
    """Return the bytes that are free on the disk of a directory."""
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


def check(place: Path) -> None:
    """Raise ``FailureError`` if the disk of a directory is nearly full."""
    if (found := free(place)) < reserve(place):
        raise FailureError(f"the disk of {place} is nearly full: {found >> 20} MiB are free")


def is_missing(failure: FailureError) -> bool:
    """Return whether a failure may be one of a disk without room."""
    return any(words in str(failure) for words in _FULL)
