"""`make demo` fails if what it shows does not work."""

from __future__ import annotations

import pytest

from tests.targets import demo
from tests.targets.pyinfra import PyinfraRun
from tests.targets.shell import TargetError


def test_a_check_that_fails_ends_the_demo(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    done = PyinfraRun(1, "mx: 75 checks, 1 failed\n", "1 check failed: see above")
    monkeypatch.setattr(demo, "pyinfra", lambda *args: done)
    with pytest.raises(TargetError, match="1 check failed"):
        demo._verify()
    assert capsys.readouterr().out == done.stdout
    monkeypatch.setattr(demo, "pyinfra", lambda *args: PyinfraRun(0, "", ""))
    demo._verify()
