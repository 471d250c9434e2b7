"""Do one step; see the package."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from . import source, spool, target
from .spool import OUT, Message, Problem

_BATCH = 4 << 20
"""The bytes after which the messages of a copied spool directory are put into the queue."""


def bring(path: str, here: str) -> dict[str, Any]:
    """Copy all messages of another host's spool directory into the queue; nothing changes there.

    + here: the name of this host

    Raises ``Problem`` if it is none, and as ``source.check`` does.
    """
    other = Path(path)
    if not all((other / queue).is_dir() for queue in ("incoming", "deferred")):
        raise Problem(f"{path} has no queue of Postfix: no directories incoming and deferred")
    if other.samefile(spool.SPOOL):
        raise Problem(f"{path} is the queue of this host itself")
    source.check(other, here)
    target.ready()
    total: Counter[str] = Counter()
    lists: dict[str, list[str]] = {"damaged": [], "unreadable": []}
    found = [message for below in ("", OUT) for message in spool.messages(other, lists["unreadable"], below)]
    complete = [message for message in found if message.is_complete]
    for batch in _batches(complete):
        read = source.readable(batch)
        put = target.put(read["messages"])
        total.update(put["put"], known=put["known"])
        lists["damaged"] += put["damaged"]
        lists["unreadable"] += read["unreadable"]
    known = total.pop("known", 0)
    return {"put": total, "known": known, "unfinished": len(found) - len(complete), **lists}


def _batches(messages: list[Message]) -> Iterator[list[Message]]:
    batch, size = [], 0
    for message in messages:
        batch.append(message)
        size += message.path.stat().st_size
        if size > _BATCH:
            yield batch
            batch, size = [], 0
    yield batch


def step(name: str, *arguments: str) -> dict[str, Any]:
    """Do a step, and return what it prints. Raises ``Problem``."""
    if name == "bring":
        return bring(*arguments)
    if name == "ready":
        return target.ready()
    if name == "take":
        return source.take(*arguments)
    given = json.load(sys.stdin)
    if name == "put":
        return target.put(given["messages"])
    return source.drop(given) if name == "drop" else source.read(given, *arguments)


def main() -> None:
    """Do what the command line says."""
    os.umask(0o077)
    try:
        print(json.dumps(step(*sys.argv[1:])), flush=True)
    except (Problem, OSError, subprocess.SubprocessError) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
