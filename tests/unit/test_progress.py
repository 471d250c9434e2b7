"""An answer begins on a line of its own, where pyinfra has shown on a terminal which host it waits for."""

from __future__ import annotations

import io
import sys

import pytest

from mailstack.run import answer


class Output(io.StringIO):
    """A stream that may be a terminal."""

    def __init__(self, terminal: bool) -> None:
        super().__init__()
        self.terminal = terminal

    def isatty(self) -> bool:
        return self.terminal


@pytest.mark.parametrize(
    ("stdout", "stderr", "cleared"),
    [(True, True, "\r\033[K"), (False, True, ""), (True, False, ""), (False, False, "")],
)
def test_answers(monkeypatch: pytest.MonkeyPatch, stdout: bool, stderr: bool, cleared: str) -> None:
    output, error = Output(stdout), Output(stderr)
    monkeypatch.setattr(sys, "stdout", output)
    monkeypatch.setattr(sys, "stderr", error)
    answer("5 users\n")
    assert (output.getvalue(), error.getvalue()) == ("5 users\n", cleared)
