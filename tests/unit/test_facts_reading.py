"""One question for all that a run wants to know, and none for what is known already."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyinfra.api.command import StringCommand
from pyinfra.api.config import Config
from pyinfra.api.inventory import Inventory
from pyinfra.api.operation import OperationMeta
from pyinfra.api.state import State
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_host

from mailstack.facts.reading import Probe, announce, read

ONE, TWO, THREE = (Probe(name, f"echo {name}", str.strip) for name in ("one", "two", "three"))


class Run:
    """A run against a host that answers each probe with its name and the number of the question."""

    def __init__(self) -> None:
        inventory = Inventory((["somewhere"], {}))  # type: ignore[no-untyped-call]
        self.state = State(inventory, Config())  # type: ignore[no-untyped-call]
        self.host = inventory.get_host("somewhere")
        self.asked: list[list[str]] = []
        self.host.run_shell_command = self._answer  # type: ignore[method-assign]

    def _answer(self, command: StringCommand, *, _stdin: str, **_: Any) -> tuple[bool, CommandOutput]:
        names = [line.split()[2] for line in _stdin.splitlines() if line.startswith("( echo")]
        self.asked.append(names)
        answers = (base64.b64encode(f"{name} {len(self.asked)}".encode()).decode() for name in names)
        return True, CommandOutput([OutputLine("stdout", answer) for answer in answers])

    def complete(self, name: str, *commands: str) -> None:
        """An operation has run these commands."""
        meta = OperationMeta(name, is_change=None)
        meta.set_complete(True, list(commands), CommandOutput([]))
        operations = cast("dict[str, Any]", self.state.ops.setdefault(self.host, {}))
        operations[name] = SimpleNamespace(operation_meta=meta)


@pytest.fixture
def run() -> Iterator[Run]:
    """A run, in its prepare phase."""
    made = Run()
    with ctx_host.use(made.host):
        yield made


def test_in_the_prepare_phase_each_question_is_asked_when_it_comes(run: Run) -> None:
    announce(ONE, TWO)
    assert [read(ONE), read(ONE), read(TWO)] == ["one 1", "one 1", "two 2"]


def test_the_first_operation_asks_for_everything_that_was_announced(run: Run) -> None:
    announce(ONE, TWO)
    announce(TWO, THREE)
    run.state.is_executing = True
    assert [read(TWO), read(ONE), read(THREE)] == ["two 1", "one 1", "three 1"]
    assert run.asked == [["one", "two", "three"]]


def test_what_nobody_announced_is_asked_too(run: Run) -> None:
    announce(ONE)
    run.state.is_executing = True
    assert read(THREE) == "three 1"
    assert run.asked == [["one", "three"]]


def test_what_was_read_in_the_prepare_phase_is_read_again(run: Run) -> None:
    read(ONE)
    run.state.is_executing = True
    assert read(ONE) == "one 2"


def test_an_operation_that_changed_nothing_leaves_the_answers_good(run: Run) -> None:
    announce(ONE, TWO)
    run.state.is_executing = True
    read(ONE)
    run.complete("somebody's")
    assert read(TWO) == "two 1"


def test_after_a_change_what_is_still_wanted_is_asked_again_at_once(run: Run) -> None:
    announce(ONE, TWO, THREE)
    run.state.is_executing = True
    read(ONE)
    run.complete("somebody's", "touch /x")
    assert [read(TWO), read(TWO), read(THREE)] == ["two 2", "two 2", "three 2"]
    run.complete("another", "touch /y")
    assert read(TWO) == "two 3"
    assert run.asked == [["one", "two", "three"], ["two", "three"], ["two"]]
