"""What a host says of itself for ``mailstack.status``, beside the facts that a deploy reads."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mailstack.facts.fact import Question
from mailstack.shell import script
from mailstack.text import lines_of

_RECORDS = ("dns-check", "verify", "backup", "backup-password", "restore")
"""The records of ``status.sh``."""


class Disk(NamedTuple):
    """A file system, in bytes; without a fixed number of files both ``files`` and ``free_files`` are 0.

    + answers: whether it says anything at all
    """

    mounted: str
    size: int
    free: int
    files: int
    free_files: int
    answers: bool = True

    @property
    def used(self) -> float:
        """The percentage that is used, of space or of files: the larger."""
        parts = ((self.free, self.size), (self.free_files, self.files))
        return max((100 - 100 * free / whole for free, whole in parts if whole), default=0)


class Key(NamedTuple):
    """A DKIM key, and when it was made."""

    domain: str
    selector: str
    made: int


class Signing(NamedTuple):
    """A DKIM key that should sign.

    + readable: whether rspamd can read it
    """

    domain: str
    selector: str
    readable: bool


@dataclass(frozen=True)
class Host:
    """What it says.

    + now: its clock, in seconds since 1970
    + failed: units of mailstack that have failed
    + store: the size of the mail, ``None`` if it took too long to count
    + queue: the messages in the queue, as postqueue(1) prints them; ``None`` if it did not
    + deployed: when a deploy changed its files last, in seconds since 1970; 0 if none did
    + records: what earlier commands have found, by name: ``dns-check``, ``verify``, ``backup``
    + rescued: the number of messages that a killed ``mailstack.queue.rescue`` has left in no queue
    """

    now: int
    failed: Sequence[str] = ()
    disks: Sequence[Disk] = ()
    store: int | None = None
    queue: Sequence[Mapping[str, Any]] | None = None
    keys: Sequence[Key] = ()
    signing: Sequence[Signing] = ()
    deployed: int = 0
    records: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    rescued: int = 0


class HostState(Question[Host]):
    """Return what the host says of itself. It names users, so it is no fact.

    + store, keys: the directory of the mail, and that of DKIM keys, or nothing
    + paths: places whose disks matter
    """

    def command(self, store: str, keys: str, paths: Sequence[str]) -> str:
        """Ask about these directories."""
        return self.asking([(store, keys, *dict.fromkeys(paths))])

    @staticmethod
    def ask(about: Sequence[tuple[str, ...]]) -> str:
        """See ``Question.ask``."""
        (arguments,) = about
        return script("status", *arguments)

    def parse(self, output: str) -> Host:
        """See ``Question.parse``."""
        parts = dict(part.split("\n", 1) for part in output.split("\f")[1:] if "\n" in part)
        now = int(parts.get("now", "").strip() or 0)
        store = parts.get("store", "").strip()
        return Host(
            now,
            [line.split()[0] for line in lines_of(parts.get("failed", "")) if line.split()],
            _disks(parts.get("disks", "")),
            int(store) * 1024 if store.isdigit() else None,
            _queue(parts.get("queue", "")),
            _keys(parts.get("keys", "")),
            _signing(parts.get("signing", "")),
            int(parts.get("deployed", "").strip() or 0),
            {name: record for name in _RECORDS if (record := _record(parts.get(name, "")))},
            int(parts.get("rescued", "").strip() or 0),
        )


def _disks(said: str) -> list[Disk]:
    found = {}
    for line in lines_of(said):
        *numbers, mounted = line.split(maxsplit=4)
        values = [int(number) if number.isdigit() else 0 for number in numbers]
        size, free, files, free_files = values
        found[mounted] = Disk(mounted, size, free, files, free_files, answers=numbers[0] != "?")
    return list(found.values())


def _queue(said: str) -> list[dict[str, Any]] | None:
    *lines, end = lines_of(said) or [""]
    try:
        return [json.loads(line) for line in lines] if end == "whole" else None
    except ValueError:
        return None


def _keys(said: str) -> list[Key]:
    found = re.findall(r"^(\d+) \./([^/]+)/(\w+)\.key$", said, re.MULTILINE)
    return [Key(domain, selector, int(made)) for made, domain, selector in found]


def _signing(said: str) -> list[Signing]:
    found = re.findall(r"^(yes|no) \./([^/]+)/([^/\n]+)\.key$", said, re.MULTILINE)
    return [Signing(domain, selector, readable == "yes") for readable, domain, selector in found]


def _record(said: str) -> dict[str, Any]:
    """Return a record; a damaged one is none, as the next command writes another."""
    with contextlib.suppress(ValueError):
        found = json.loads(said)
        if isinstance(found, dict) and isinstance(found.get("at"), int):
            return found
    return {}
