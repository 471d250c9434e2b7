"""A command waits for a unit, also while its host is busy, and names one that was killed."""

from __future__ import annotations

import io
import itertools
import json

import pytest
from gevent.event import Event
from pyinfra.api.exceptions import OperationError

from mailstack import following
from mailstack.run import Said

RUNNING = 'ActiveState=activating\nResult=success\n\f{"step": "copy", "percent": 5}\f'
DONE = 'ActiveState=inactive\nResult=success\n\f\f{"failed": []}\n'
KILLED = "ActiveState=failed\nResult=signal\n\f\f"
SILENT = "\f\f"


def follow(monkeypatch: pytest.MonkeyPatch, *answers: str | OperationError) -> dict[str, object]:
    """Follow a unit of a host that gives these answers, one a minute, after that of its start."""
    said = iter(("", *answers))

    def run_script(*_: object) -> Said:
        answer = next(said)
        if isinstance(answer, OperationError):
            raise answer
        return Said(True, answer, "")

    clock = itertools.count(0, 60)
    monkeypatch.setattr(following, "run_script", run_script)
    monkeypatch.setattr(following, "current_host", lambda: None)
    monkeypatch.setattr("mailstack.following.time.sleep", lambda _: None)
    monkeypatch.setattr("mailstack.following.time.monotonic", lambda: next(clock))
    return dict(following.followed("unit", "record", "/run/unit"))


class Stream(io.StringIO):
    """Standard error, which may be a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        """See ``io.StringIO``."""
        return self.terminal


@pytest.mark.parametrize("terminal", [True, False])
def test_what_a_host_does_is_shown_on_a_terminal_alone(
    monkeypatch: pytest.MonkeyPatch, terminal: bool
) -> None:
    answers = iter(("stop the services\n", "stop the services\n", OperationError("busy"), "drop it\n"))
    asked = Event()

    def run_script(*_: object) -> Said:
        answer = next(answers, None)
        if answer is None:
            asked.set()
        if isinstance(answer, OperationError):
            raise answer
        return Said(True, answer or "drop it\n", "")

    monkeypatch.setattr(following, "run_script", run_script)
    monkeypatch.setattr(following, "_PAUSE", 0)
    stream = Stream(terminal)
    monkeypatch.setattr("sys.stderr", stream)
    with pytest.raises(OperationError), following.shown(None, "progress"):  # type: ignore[arg-type]
        assert not terminal or asked.wait(60)
        raise OperationError("its message begins a line")
    clear = "\r\033[K"
    shown = f"{clear}stop the services{clear}drop it{clear}"
    assert stream.getvalue() == (shown if terminal else "")


def test_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    assert follow(monkeypatch, RUNNING, RUNNING, RUNNING, DONE) == json.loads('{"failed": []}')


@pytest.mark.parametrize("busy", [OperationError("no answer"), SILENT])
def test_a_host_may_be_busy(monkeypatch: pytest.MonkeyPatch, busy: str | OperationError) -> None:
    assert follow(monkeypatch, RUNNING, busy, DONE)["failed"] == []
    with pytest.raises(OperationError, match="the unit goes on there"):
        follow(monkeypatch, RUNNING, busy, busy, busy, DONE)


def test_a_killed_unit_is_named_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OperationError, match=r"unit ended early \(signal\)"):
        follow(monkeypatch, RUNNING, KILLED)
