"""A terminal shows which host a command waits for; a pipe shows nothing."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest

from mailstack import run


class Output(io.StringIO):
    """A stream that may be a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


def shown(
    monkeypatch: pytest.MonkeyPatch, stdout: bool = True, stderr: bool = True, executing: bool = False
) -> str:
    """Return what is written to standard error while a host does not answer for some time."""
    error = Output(stderr)
    monkeypatch.setattr(sys, "stdout", Output(stdout))
    monkeypatch.setattr(sys, "stderr", error)
    host = SimpleNamespace(name="mail", state=SimpleNamespace(is_executing=executing))
    with run._progress(cast("Any", host)):
        gevent.sleep(1.3)
    return error.getvalue()


def test_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    said = shown(monkeypatch)
    assert "mail: waiting for its answer, 1 s" in said and said.endswith("\r\033[K")


@pytest.mark.parametrize(
    ("stdout", "stderr", "executing"), [(False, True, False), (True, False, False), (True, True, True)]
)
def test_a_pipe(monkeypatch: pytest.MonkeyPatch, stdout: bool, stderr: bool, executing: bool) -> None:
    assert shown(monkeypatch, stdout, stderr, executing) == ""


def test_switched_off_as_in_pyinfra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYINFRA_PROGRESS", "off")
    assert shown(monkeypatch) == ""
