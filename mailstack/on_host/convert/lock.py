"""Keep all others away from a mailbox, in a way that no reboot leaves behind.

An empty file system is mounted over the mailbox, for the processes of the host and for Dovecot's. This
program has mounts of its own (unshare(1)), and goes on seeing the mail.
"""

from __future__ import annotations

import ctypes
import os
import re
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from .move import NOT_FOUND, Move, Problem, doveadm

NAME = "mailstack-convert"
"""The device of the mount, by which it is found again."""
_EMPTY = "ro,mode=0,size=4k,nr_inodes=2"
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2
_IN = 'cd -P -- "$1" && [ "$(pwd)" = "$1" ] || { echo "$1 is a link" >&2; exit 1; }; shift; exec "$@"'
"""Run a command in a directory: Dovecot's user could have put a link in its place, or on the way to it."""
_END = 30
"""The seconds in which sessions and deliveries must end."""
_GAP = 10
"""The seconds in which there should be a moment without a delivery."""
_LOCK_FILES = ("dovecot*lock", "subscriptions.lock")
"""The names of Dovecot's lock files, in each folder."""


def lock(move: Move) -> float:
    """Let nobody open the mail any more, and wait until nobody has it open. Raises ``Problem``.

    Returns when it was locked, by the monotonic clock.
    """
    processes = _processes()
    _wait_for_gap(move.source)
    locked = time.monotonic()
    for process in processes:
        if not _locked(process):
            try:
                command = ("mount", "--no-canonicalize", "-t", "tmpfs", "-o", _EMPTY, NAME, ".")
                _among(process, move.source, *command)
            except subprocess.CalledProcessError as error:
                said = " ".join(error.stderr.split())
                raise Problem(f"the mailbox can't be locked: {said}") from None
    deadline = time.monotonic() + _END
    while (sessions := move.sessions()) or (others := sorted(_opened(move.source))):
        if time.monotonic() > deadline:
            which = "a session does not end: doveadm who" if sessions else ", ".join(others[:5])
            raise Problem(f"the mailbox can't be locked: it is in use: {which}")
        if sessions:
            doveadm(["kick", move.email], 30, accepted=(0, NOT_FOUND))
        time.sleep(0.1)
    _remove_lock_files(move.source)
    return locked


def unlock() -> None:
    """Let others open the mail again, whatever its directory is called by now."""
    for process in _processes():
        for place in map(Path, _locked(process)):
            _among(process, place.parent, "umount", "--no-canonicalize", "--lazy", f"./{place.name}")


def exchange(one: Path, other: Path) -> None:
    """Let two files or directories have each other's name, at once."""
    libc = ctypes.CDLL(None, use_errno=True)
    names = (os.fsencode(one), os.fsencode(other))
    if libc.renameat2(_AT_FDCWD, names[0], _AT_FDCWD, names[1], _RENAME_EXCHANGE):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(one))


def _wait_for_gap(place: Path) -> None:
    """Wait for a moment without a delivery.

    Postfix repeats one that is cut off. Its message may be in the mailbox already, and would be there twice.
    """
    deadline = time.monotonic() + _GAP
    while time.monotonic() < deadline and any(each.startswith("lmtp ") for each in _opened(place)):
        time.sleep(0.02)


def _remove_lock_files(place: Path) -> None:
    """Remove the lock files of processes that had one as the mount came, and so could not remove it.

    As long as such a process lives, doveadm would wait for two minutes, and then succeed without the messages
    that are not in Dovecot's index yet (maildir-sync.c).
    """
    for name in _LOCK_FILES:
        for file in place.rglob(name):
            if file.is_file():
                file.unlink()


def _processes() -> list[str]:
    """Return the first process of the host, and Dovecot's, which may have mounts of its own.

    systemd passes a mount of the host on to the services, but not in a container.
    """
    ask = ["systemctl", "show", "--property=MainPID", "--value", "dovecot"]
    dovecot = subprocess.run(ask, capture_output=True, text=True, check=True, timeout=60).stdout.strip()
    return ["1", *([dovecot] if dovecot != "0" else [])]


def _among(process: str, place: Path, *command: str) -> None:
    """Run a command in a directory, with the mounts of a process."""
    whole = ["nsenter", "--target", process, "--mount", "--", "sh", "-c", _IN, "sh", str(place), *command]
    subprocess.run(whole, capture_output=True, text=True, check=True, timeout=60)


def _locked(process: str) -> list[str]:
    """Return the paths that are locked for a process. Only one command of this kind runs on a host."""
    found = []
    for line in Path(f"/proc/{process}/mountinfo").read_text("utf-8", "surrogateescape").split("\n"):
        about, _, device = line.partition(" - ")
        if device.split(" ")[1:2] == [NAME]:
            escaped = about.split(" ")[4]
            found.append(re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), escaped))
    return found


def _opened(place: Path) -> Iterator[str]:
    """Yield the processes that have a file below a directory open."""
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it has ended
            if any(_target(file).startswith(f"{place}/") for file in (process / "fd").iterdir()):
                yield f"{(process / 'comm').read_text().strip()} ({process.name})"


def _target(file: Path) -> str:
    """Return the path of a file that a process has open, or nothing if it has closed it by now."""
    with suppress(OSError):
        return str(file.readlink())
    return ""
