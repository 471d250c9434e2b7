"""A run reads all its questions by one command, and no known answer again."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pyinfra.api.command import StringCommand
from pyinfra.api.config import Config
from pyinfra.api.exceptions import OperationError, PyinfraError
from pyinfra.api.inventory import Inventory
from pyinfra.api.operation import OperationMeta
from pyinfra.api.state import State
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_host

from mailstack.facts.fact import Question
from mailstack.facts.files import FileStates
from mailstack.facts.reading import announce, read, require, together


class Numbers(Question[str]):
    """Return the lines about these names; the answer tells how many questions were asked before."""

    def command(self, *names: str) -> str:
        return self.asking(names)

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        return f'for name in {" ".join(about)}; do echo "$name $ASKED"; done'

    def parse(self, output: str) -> str:
        return ", ".join(line for line in output.splitlines() if line.split()[0] in self.about)


class Letters(Numbers):
    """Ask with another command."""

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        return Numbers.ask(about)


class Garbled(FileStates):
    """Ask a host that says something else."""

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        return "echo 'a|b'"


ONE, TWO, THREE = (Numbers.of(name) for name in ("one", "two", "three"))
A = Letters.of("a")


class Run:
    """A run against a host that answers, and a record of what it was asked."""

    def __init__(self) -> None:
        inventory = Inventory((["somewhere"], {}))  # type: ignore[no-untyped-call]
        self.state = State(inventory, Config())  # type: ignore[no-untyped-call]
        self.host = inventory.get_host("somewhere")
        self.asked: list[list[list[str]]] = []
        self.uid = 0
        self.host.run_shell_command = self._answer  # type: ignore[method-assign]

    def _answer(self, command: StringCommand, *, _stdin: str, **_: Any) -> tuple[bool, CommandOutput]:
        self.asked.append([names.split() for names in re.findall("for name in ([a-z ]+);", _stdin)])
        env = {**os.environ, "ASKED": str(len(self.asked))}
        script = _stdin.replace("id -u", f"echo {self.uid}")
        done = subprocess.run("sh", input=script, capture_output=True, text=True, check=True, env=env)
        return True, CommandOutput([OutputLine("stdout", line) for line in done.stdout.splitlines()])

    def complete(self, name: str, *commands: str) -> None:
        """Record that an operation has run these commands."""
        meta = OperationMeta(name, is_change=None)
        meta.set_complete(True, list(commands), CommandOutput([]))
        operations = cast("dict[str, Any]", self.state.ops.setdefault(self.host, {}))
        operations[name] = SimpleNamespace(operation_meta=meta)


@pytest.fixture
def run() -> Iterator[Run]:
    """Yield a run, in its prepare phase."""
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
    assert run.asked == [[["one", "two", "three"]]]


def test_a_question_of_two_operations_is_asked_again_for_the_second(run: Run) -> None:
    announce(ONE)
    announce(TWO)
    announce(ONE)
    run.state.is_executing = True
    read(ONE)
    run.complete("somebody's", "touch /x")
    assert [read(TWO), read(ONE)] == ["two 2", "one 2"]
    run.complete("another", "touch /y")
    read(THREE)
    assert run.asked == [[["one", "two"]], [["one", "two"]], [["three"]]]


def test_a_command_that_prints_reads_all_its_questions_at_once(run: Run) -> None:
    announce(THREE)
    with together():
        announce(ONE, TWO, A)
    assert [read(ONE), read(TWO), read(A)] == ["one 1", "two 1", "a 1"]
    assert run.asked == [[["a"], ["one", "two"]]]
    run.state.is_executing = True
    assert (read(THREE), len(run.asked)) == ("three 2", 2)  # the announcement of an operation is still there


def test_questions_of_one_kind_are_one_question(run: Run) -> None:
    announce(ONE, A, TWO)
    run.state.is_executing = True
    assert [read(TWO), read(A)] == ["two 1", "a 1"]
    assert read(Numbers.of("one", "two")) == "one 1, two 1"
    assert run.asked == [[["a"], ["one", "two"]]]


def test_a_question_without_announcement_is_asked_too(run: Run) -> None:
    announce(ONE)
    run.state.is_executing = True
    assert read(THREE) == "three 1"
    assert run.asked == [[["one", "three"]]]


def test_answers_of_the_prepare_phase_are_read_again(run: Run) -> None:
    read(ONE)
    run.state.is_executing = True
    assert read(ONE) == "one 2"


def test_an_operation_that_changed_nothing_leaves_the_answers_good(run: Run) -> None:
    announce(ONE, TWO)
    run.state.is_executing = True
    read(ONE)
    run.complete("somebody's")
    assert read(TWO) == "two 1"


def test_after_a_change_announced_questions_are_asked_again_at_once(run: Run) -> None:
    announce(ONE, TWO, THREE)
    run.state.is_executing = True
    read(ONE)
    run.complete("somebody's", "touch /x")
    assert [read(TWO), read(TWO), read(THREE)] == ["two 2", "two 2", "three 2"]
    run.complete("another", "touch /y")
    assert read(TWO) == "two 3"
    assert run.asked == [[["one", "two", "three"]], [["two", "three"]], [["two"]]]


def test_the_same_command_is_the_same_question(run: Run) -> None:
    announce(Numbers.of("one"), TWO)
    run.state.is_executing = True
    read(Numbers.of("one"))
    run.complete("somebody's", "touch /x")
    read(THREE)
    assert run.asked == [[["one", "two"]], [["two", "three"]]]


def test_an_answer_that_can_not_be_is_an_error_of_the_operation(run: Run) -> None:
    with pytest.raises(OperationError, match=r"^unexpected ValueError in files\.py"):
        read(Garbled.of("/etc/a"))


def wrong(answer: str) -> str:
    """Return a requirement that is not met."""
    return f"{answer} must not be"


def test_requirements_are_read_with_the_rest_and_checked_once(run: Run) -> None:
    checked: list[str] = []
    announce(ONE)
    require(TWO, checked.append)
    announce(THREE)
    run.state.is_executing = True
    assert [read(ONE), checked] == ["one 1", ["two 1"]]
    run.complete("somebody's", "touch /x")
    assert [read(THREE), checked] == ["three 2", ["two 1"]]
    assert run.asked == [[["one", "two", "three"]], [["three"]]]


def test_all_problems_are_reported_before_any_change(run: Run) -> None:
    require(ONE, wrong)
    require(THREE, lambda _: None)
    require(A, wrong)
    with pytest.raises(OperationError, match=r"^one 1 must not be; a 1 must not be$"):
        read(TWO)
    with pytest.raises(OperationError, match="one 1 must not be"):  # pyinfra may have been told to go on
        read(TWO)
    assert run.asked == [[["a"], ["one", "three", "two"]]]


@pytest.mark.parametrize(
    ("succeeded", "answer", "errors", "reason"),
    [
        (True, "MAoA", "", "its answer is not complete"),
        (True, "MAo", "", "its answer is not complete"),
        (False, "MAoA", "", "the command failed and printed no error"),
        (False, "", "sudo: unknown\nuser", "sudo: unknown user"),
    ],
)
def test_an_answer_that_is_cut_off_is_an_error(
    run: Run, succeeded: bool, answer: str, errors: str, reason: str
) -> None:
    output = CommandOutput([OutputLine("stdout", answer), OutputLine("stderr", errors)])
    run.host.run_shell_command = lambda command, **_: (succeeded, output)  # type: ignore[method-assign]
    with pytest.raises(OperationError, match=f"^could not read the state of the host: {reason}$"):
        read(ONE)


def test_requirements_of_the_prepare_phase_are_checked_again(run: Run) -> None:
    checked: list[str] = []
    require(ONE, checked.append)
    assert [read(TWO), read(TWO), checked] == ["two 1", "two 1", ["one 1"]]
    run.state.is_executing = True
    read(TWO)
    assert checked == ["one 1", "one 2"]


@pytest.mark.parametrize("executing", [False, True])
def test_a_host_where_pyinfra_is_not_root_is_told_so(run: Run, executing: bool) -> None:
    run.uid, run.state.is_executing = 1000, executing
    with pytest.raises(OperationError, match=r"^mailstack needs root.* 1000 .*_sudo"):
        read(ONE)


@pytest.mark.parametrize("name", ["_sudo_user", "_su_user", "_doas_user", "_dzdo_user"])
def test_another_named_user_gets_no_hint_to_sudo(run: Run, name: str) -> None:
    run.uid = 1000
    run.host.data._sudo = True
    setattr(run.host.data, name, "op")
    with pytest.raises(PyinfraError, match=f"1000 on this host, because of {name} = 'op'; allowed: 'root'"):
        read(ONE)
