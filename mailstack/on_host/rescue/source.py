"""The queue that loses its messages."""

from __future__ import annotations

import base64
import os
import subprocess
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from . import spool, target
from .spool import LOGS, OUT, QUEUES, Message, Problem, arrived, messages

_STOPPING = 120
"""The seconds in which the processes of Postfix must end."""
_PROGRAMS = "/usr/lib/postfix/sbin/"
_SENT = "mailstack-rescue/sent"
"""The file below the spool with the name of the host that may have messages which are still in ``OUT``."""


def take(to: str) -> dict[str, Any]:
    """Stop Postfix, take all complete messages out of its queue, and list them.

    + to: the host that gets them

    Raises ``Problem`` as ``check`` does, and then Postfix goes on.
    """
    check(spool.SPOOL, to)
    stop()
    target.finish()
    if not any(messages(spool.SPOOL, [], OUT)):
        (spool.SPOOL / _SENT).unlink(missing_ok=True)
    out = spool.SPOOL / OUT
    unfinished, unreadable = 0, list[str]()
    for message in messages(spool.SPOOL, unreadable):
        if not message.is_complete:
            unfinished += 1
            continue
        _move(message.path, out / message.queue / message.id)
    taken_out = [*messages(spool.SPOOL, unreadable, OUT)]
    for message in taken_out:
        for kind in LOGS:
            if (log := spool.SPOOL / kind / message.id).exists():
                _move(log, message.log(kind))
    listed = [[message.queue, message.id, message.path.stat().st_size] for message in taken_out]
    return {"messages": listed, "unfinished": unfinished, "unreadable": unreadable}


def check(root: Path, to: str) -> None:
    """Raise ``Problem`` if a killed run may have put messages into the queue of another host.

    + root: the spool directory with the messages
    + to: the host that gets them now
    """
    sent = root / _SENT
    if any(messages(root, [], OUT)) and sent.exists() and (other := spool.read(sent).decode()) != to:
        raise Problem(
            f"a run that was killed may have put some of these messages into the queue of {other}; allowed: "
            f"to = {other!r} first, or without the file {sent}: then these may be delivered twice"
        )


def stop() -> None:
    """Stop Postfix and wait for its processes. Raises ``Problem`` if they do not end.

    master(8) ends deliveries that are under way. A server that has taken the message, and not yet answered,
    gets it again.
    """
    units = ("postfix.service", "postfix@*.service")  # of Debian 13, and of 12
    subprocess.run(["systemctl", "stop", *units], check=True, capture_output=True, timeout=300)
    deadline = time.monotonic() + _STOPPING
    while any(_programs()):
        if time.monotonic() > deadline:
            raise Problem(f"Postfix was stopped, but one of its processes did not end within {_STOPPING} s")
        time.sleep(0.5)


def _programs() -> Iterator[str]:
    for process in Path("/proc").glob("[0-9]*/exe"):
        with suppress(OSError):  # it has ended
            if (program := str(process.readlink())).startswith(_PROGRAMS):
                yield program


def _move(path: Path, to: Path) -> None:
    if to.exists():
        raise Problem(f"{to} is there already")
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.rename(to)


def read(wanted: Sequence[Sequence[str]], to: str) -> dict[str, Any]:
    """Return messages that were taken, with their content, and the IDs of those that can't be read.

    + to: the host that gets them. Until they are dropped, no other one does

    Raises ``Problem`` as ``check`` does.
    """
    check(spool.SPOOL, to)
    target.keep(spool.SPOOL / _SENT, to)
    return readable([taken(queue, name) for queue, name in wanted])


def readable(wanted: Iterable[Message]) -> dict[str, Any]:
    """Return messages with their content, and the IDs of those that can't be read."""
    found, unreadable = [], []
    for message in wanted:
        try:
            found.append(content(message))
        except OSError:  # a disk that fails
            unreadable.append(message.id)
    return {"messages": found, "unreadable": unreadable}


def taken(queue: str, name: str) -> Message:
    """Return a message that was taken out of the queue."""
    if queue not in QUEUES or not spool.is_id(name):
        raise Problem(f"no message: {queue!r} {name!r}")
    out = spool.SPOOL / OUT
    return Message(spool.SPOOL, out, queue, name, out / queue / name)


def content(message: Message) -> dict[str, Any]:
    """Return a message with its content and reports. Raises ``OSError`` if it can't be read."""
    files = {"message": message.path}
    files |= {kind: path for kind in LOGS if os.path.lexists(path := message.log(kind))}
    return {
        "queue": message.queue,
        "id": message.id,
        "requeued": message.is_requeued,
        "expired": message.is_expired,
        "files": {kind: base64.b64encode(spool.read(path)).decode() for kind, path in files.items()},
    }


def drop(wanted: Sequence[Sequence[str]]) -> dict[str, Any]:
    """Delete messages that are in another queue now.

    This host may have got them from there: then they may come once more.
    """
    dropped = [taken(queue, name) for queue, name in wanted]
    times = set()
    for message in dropped:
        with suppress(OSError, Problem):
            times.add(arrived(spool.read(message.path)))
    target.forget(times)
    for message in dropped:
        for kind in LOGS:
            message.log(kind).unlink(missing_ok=True)
        message.path.unlink(missing_ok=True)
    (spool.SPOOL / _SENT).unlink(missing_ok=True)
    for folder, _, _ in os.walk(spool.SPOOL / "mailstack-rescue", topdown=False):
        with suppress(OSError):  # it is not empty
            Path(folder).rmdir()
    return {}
