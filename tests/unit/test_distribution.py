"""The distribution of tests to workers: folder by folder, and every test once."""

from __future__ import annotations

from itertools import pairwise
from types import SimpleNamespace
from typing import Any

import pytest
from xdist.remote import Producer

from tests.distribution import FolderByFolder, Scope, choice

TRUST_12 = Scope("tests/integration/trust/test_a.py", "debian12", "postgresql")
TRUST_13 = Scope("tests/integration/trust/test_a.py", "debian13", "postgresql")
MORE_TRUST_13 = Scope("tests/integration/trust/test_b.py", "debian13", "postgresql")
DNS_12 = Scope("tests/integration/dns/test_a.py", "debian12", "postgresql")
DNS_13 = Scope("tests/integration/dns/test_a.py", "debian13", "postgresql")
NO_ENGINE_13 = Scope("tests/integration/run/test_a.py", "debian13")
NO_HOST = Scope("tests/unit/test_a.py")
WAITING_12 = Scope("tests/integration/systemd/test_a.py", "debian12", "postgresql")
WAITING_13 = Scope("tests/integration/systemd/test_a.py", "debian13", "postgresql")
MYSQL_13 = Scope("tests/integration/dns/test_a.py", "debian13", "mysql")


@pytest.mark.parametrize(
    ("nodeid", "scope"),
    [
        (
            "tests/integration/x/test_y.py::test_z[postgresql-debian12-more]",
            Scope("tests/integration/x/test_y.py", "debian12", "postgresql"),
        ),
        (
            "tests/integration/x/test_y.py::test_z[debian13]",
            Scope("tests/integration/x/test_y.py", "debian13"),
        ),
        ("tests/unit/test_mysql.py::test_z", Scope("tests/unit/test_mysql.py")),
    ],
)
def test_tests_of_one_file_debian_and_engine_are_together(nodeid: str, scope: Scope) -> None:
    assert Scope.of(nodeid) == scope
    assert Scope.parse(str(scope)) == scope


@pytest.mark.parametrize(
    ("queue", "others", "chosen"),
    [
        ([DNS_13, MORE_TRUST_13], [], MORE_TRUST_13),
        ([DNS_13, MORE_TRUST_13], [TRUST_13.group], MORE_TRUST_13),
        ([DNS_12, TRUST_12, DNS_13], [], DNS_13),
        ([DNS_12, MYSQL_13, DNS_13], [], DNS_13),
        ([DNS_13, TRUST_12], [DNS_13.group], TRUST_12),
        ([TRUST_12, DNS_13], [DNS_13.group, TRUST_12.group], DNS_13),
        ([DNS_12, TRUST_12], [], DNS_12),
        ([DNS_12, NO_ENGINE_13, DNS_13], [], NO_ENGINE_13),
        ([NO_HOST, DNS_12], [], DNS_12),
        ([NO_HOST, DNS_12], [DNS_12.group], DNS_12),
        ([NO_HOST], [], NO_HOST),
        ([DNS_13, WAITING_12], [], WAITING_12),
        ([WAITING_13, DNS_12], [WAITING_12.group], DNS_12),
        ([WAITING_13], [WAITING_12.group], WAITING_13),
        ([WAITING_12, MORE_TRUST_13], [], MORE_TRUST_13),
    ],
    ids=[
        "its folder",
        "even with another",
        "its Debian",
        "its engine",
        "an idle one",
        "any",
        "the first",
        "no engine",
        "a host before none",
        "even where another is",
        "or none at last",
        "one that waits",
        "none that waits beside another",
        "or that alone is left",
        "its folder before one that waits",
    ],
)
def test_what_a_worker_does_next(
    queue: list[Scope], others: list[tuple[str, str, str]], chosen: Scope
) -> None:
    assert choice(queue, TRUST_13, others) == chosen


class Worker:
    """A worker that begins a test when it knows the next one, or that there is none, as those of xdist do."""

    def __init__(self, name: str) -> None:
        self.gateway = SimpleNamespace(id=name)
        self.shutting_down = False
        self.known: list[int] = []
        self.done: list[int] = []

    def send_runtest_some(self, indices: list[int]) -> None:
        self.known += indices

    def shutdown(self) -> None:
        self.shutting_down = True

    def take(self) -> int | None:
        """Return the test that it has just done, if it can do one."""
        if len(self.known) < 2 and not (self.known and self.shutting_down):
            return None
        self.done.append(self.known.pop(0))
        return self.done[-1]


def test_each_test_is_done_once_and_folders_stay_together() -> None:
    files = [f"tests/integration/{folder}/test_{name}.py" for folder in "uvwx" for name in "abc"]
    tests = [
        f"{file}::test_{number}[debian{debian}]"
        for file in files
        for debian in (12, 13)
        for number in range(3)
    ]
    option = SimpleNamespace(loadscopereorder=True)
    config: Any = SimpleNamespace(option=option, getvalue=lambda name: ["popen", "popen"])
    scheduler = FolderByFolder(config, Producer("test", enabled=False))
    workers: list[Any] = [Worker("gw0"), Worker("gw1")]
    for worker in workers:
        scheduler.add_node(worker)
        scheduler.add_node_collection(worker, tests)
    scheduler.schedule()
    busy = True
    while busy:
        busy = False
        for worker in workers:
            if (index := worker.take()) is not None:
                scheduler.mark_test_complete(worker, index)
                busy = True
    assert sorted(index for worker in workers for index in worker.done) == list(range(len(tests)))
    for worker in workers:
        groups = [Scope.of(tests[index]).group for index in worker.done]
        changes = sum(before != after for before, after in pairwise(groups))
        assert changes == len(set(groups)) - 1
        debians = [debian for _, debian, _ in groups]
        assert sum(before != after for before, after in pairwise(debians)) <= 1
