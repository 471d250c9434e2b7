"""The queue that gets the messages."""

from __future__ import annotations

import base64
import os
import pwd
import shutil
import subprocess
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import spool
from .spool import LOGS, QUEUES, Problem, arrived, id_of, is_id

RECORD = Path("/var/lib/mailstack/rescued")
"""The messages that were put into the queue, a line each: the former ID, and the time of arrival."""
_STAGE = "mailstack-rescue/in"
"""The directory below the spool with messages that are not yet in the queue."""
_PLACES = {"maildrop": "maildrop", "hold": "hold"}
"""Where messages go; all others go where qmgr(8) takes new ones from."""
_NEW = "incoming"
_USER = "postfix"


def ready() -> dict[str, Any]:
    """Finish what a killed run has begun. Raises ``Problem`` if the queue can't get messages."""
    if not (spool.SPOOL / _NEW).is_dir():
        raise Problem(f"{spool.SPOOL / _NEW} does not exist: Postfix is not here")
    said = subprocess.run(["postconf", "-h", "hash_queue_names"], capture_output=True, text=True, check=True)
    if hashed := {*said.stdout.replace(",", " ").split()} & {*_PLACES, _NEW, *LOGS}:
        raise Problem(
            f"hash_queue_names has {', '.join(sorted(hashed))}; allowed: without it (mail_postfix_main)"
        )
    finish()
    return {}


def put(given: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Put messages into the queue, and return the number that is in each directory of the queue now.

    + given: messages as ``source.content`` returns them

    ``known`` is the number of those that an earlier run has put there, and ``damaged`` has the IDs of those
    that are no messages.
    """
    finish()
    recorded = {*_lines()}
    damaged, new, lines = [], Counter[str](), []
    known = 0
    for message in given:
        if message["queue"] not in QUEUES or not is_id(message["id"]):
            raise Problem(f"no message: {message['queue']!r} {message['id']!r}")
        files = {kind: base64.b64decode(message["files"][kind]) for kind in message["files"]}
        try:
            line = f"{message['id']} {arrived(files['message'])}"
        except Problem:
            damaged.append(message["id"])
            continue
        if line in recorded:
            known += 1
            continue
        place = _PLACES.get(message["queue"], _NEW)
        own = place != "maildrop" or message["requeued"]
        _stage(place, message["id"], files, own=own, expired=message["expired"])
        recorded.add(line)
        lines.append(line)
        new[place] += 1
    _record([*_lines(), *lines])
    finish()
    return {"put": new, "known": known, "damaged": damaged}


def _stage(place: str, name: str, files: Mapping[str, bytes], *, own: bool, expired: bool) -> None:
    """Write a message beside the queue, with its final owner and mode.

    + own: whether Postfix owns it. A message that a user has submitted gets root as its owner
    + expired: see ``spool.Message.is_expired``
    """
    user = pwd.getpwnam(_USER)
    ready = 0o700 | (spool.EXPIRED if expired else 0)
    folder = spool.SPOOL / _STAGE / place / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for kind, content in files.items():
        if kind not in ("message", *LOGS):
            raise Problem(f"no file of a message: {kind!r}")
        mode = 0o600 if kind in LOGS else ready if own else 0o744
        with (folder / kind).open("wb") as file:
            os.fchmod(file.fileno(), mode)
            os.fchown(file.fileno(), user.pw_uid if own else 0, user.pw_gid)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    written(folder)


def finish() -> None:
    """Put the recorded messages beside the queue into it, and delete the others: they come again."""
    stage = spool.SPOOL / _STAGE
    recorded, changed = {*_lines()}, set()
    for folder in sorted(stage.glob("*/*")):
        message = folder / "message"
        if message.exists() and f"{folder.name} {_arrived(message)}" in recorded:
            name = id_of(folder.name, message.stat().st_ino)
            for kind, place in (*((kind, kind) for kind in LOGS), ("message", folder.parent.name)):
                if (folder / kind).exists():
                    (folder / kind).rename(spool.SPOOL / place / name)
                    changed.add(spool.SPOOL / place)
        shutil.rmtree(folder)
    for each in changed:
        written(each)
    shutil.rmtree(stage, ignore_errors=True)
    with suppress(OSError):  # there are messages that were taken out of this queue
        stage.parent.rmdir()
    if changed:
        wake()


def _arrived(message: Path) -> str:
    try:
        return arrived(message.read_bytes())
    except Problem:
        return ""


def wake() -> None:
    """Let Postfix look for new messages, if it runs; if not, it does as it starts."""
    for service, request in (("qmgr", "I"), ("pickup", "W")):
        subprocess.run(["postkick", "public", service, request], check=False, capture_output=True, timeout=60)


def forget(times: set[str]) -> None:
    """Remove messages of these times of arrival from the record."""
    lines = _lines()
    left = [line for line in lines if line.partition(" ")[2] not in times]
    if left != lines:
        _record(left)


def _lines() -> list[str]:
    try:
        return [line for line in RECORD.read_text("ascii").split("\n") if line]
    except FileNotFoundError:
        return []


def _record(lines: Iterable[str]) -> None:
    keep(RECORD, "".join(f"{line}\n" for line in lines))


def keep(path: Path, text: str) -> None:
    """Replace a file, on the disk."""
    new = path.with_suffix(".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)
    written(path.parent)


def written(folder: Path) -> None:
    """Wait until the names in a directory are on the disk."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
