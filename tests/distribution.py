"""Which worker gets which tests: a file at a time, and a folder's files one after the other.

A folder's tests share servers that take a while to start, and pytest stops them when the next test wants
another Debian or another engine. One worker alone does those that mostly wait, from the beginning: several at
once would leave the processors idle. Tests without a host come last: their files are short, so that all
workers end together.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling
from xdist.workermanage import WorkerController

#: Where the tests are that use hosts, and those of them that mostly wait.
ON_HOSTS = "tests/integration"
WAITING = "tests/integration/systemd"


@dataclass(frozen=True)
class Scope:
    """The tests of one file, one Debian and one engine, which share servers of their own."""

    file: str
    debian: str = ""
    engine: str = ""

    @classmethod
    def of(cls, nodeid: str) -> Scope:
        """Return the scope of a test."""
        file, _, test = nodeid.partition("::")
        given = test.partition("[")[2]
        debian, engine = (re.search(name, given) for name in (r"debian\d+", "postgresql|mysql"))
        return cls(file, debian[0] if debian else "", engine[0] if engine else "")

    @classmethod
    def parse(cls, text: str) -> Scope:
        """Return the scope that `str` made the text of."""
        return cls(*text.split(" "))

    def __str__(self) -> str:
        return f"{self.file} {self.debian} {self.engine}"

    @property
    def on_hosts(self) -> bool:
        """Whether the tests use hosts, or may."""
        return self.file.startswith(f"{ON_HOSTS}/")

    @property
    def group(self) -> tuple[str, str, str]:
        """The folder, the Debian and the engine, whose servers all its files share."""
        return str(PurePosixPath(self.file).parent), self.debian, self.engine


def waits(group: tuple[str, str, str]) -> bool:
    """Return whether the tests of a group mostly wait."""
    return group[0] == WAITING


def choice(queue: Iterable[Scope], last: Scope | None, others: Collection[tuple[str, str, str]]) -> Scope:
    """Return what a worker does next, the first in the queue of what is best.

    Best is the group that it is at. Then one on hosts. Then one that mostly waits, unless another worker is
    at such a one: then one that does not. Then one that no other worker is at; and one of the same Debian and
    engine, or of none.

    + last: what it did before
    + others: the groups that other workers are at
    """

    def price(scope: Scope) -> tuple[bool, ...]:
        own = last is not None and scope.group == last.group
        return (
            not own,
            not scope.on_hosts,
            waits(scope.group) == any(map(waits, others)),
            scope.group in others,
            last is not None and scope.debian not in ("", last.debian),
            last is not None and scope.engine not in ("", last.engine),
        )

    return min(queue, key=price)


class FolderByFolder(LoadScopeScheduling):
    """Give a worker the tests of one scope, and the next one when the last of these begins."""

    def __init__(self, config: pytest.Config, log: Producer) -> None:
        config.option.loadscopereorder = False
        super().__init__(config, log)
        self._last: dict[WorkerController, Scope] = {}

    def _split_scope(self, nodeid: str) -> str:
        return str(Scope.of(nodeid))

    def _assign_work_unit(self, node: WorkerController) -> None:
        others = [scope.group for worker, scope in self._last.items() if worker != node]
        scope = choice(map(Scope.parse, self.workqueue), self._last.get(node), others)
        self._last[node] = scope
        self.workqueue.move_to_end(str(scope), last=False)
        super()._assign_work_unit(node)

    def _reschedule(self, node: WorkerController) -> None:
        # a worker begins a test when it knows the next one; a file that it knew earlier, no other could take
        if self._pending_of(self.assigned_work[node]) <= 1:
            super()._reschedule(node)
