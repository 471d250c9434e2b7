"""The commands of the program for certificates, and how they end."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from mailstack.on_host.certificates import __main__ as program
from mailstack.on_host.certificates.files import FailureError, Wanted


class Keeper:
    """What keeps certificates, with faults."""

    faulty: tuple[str, ...] = ()
    failure: Exception | None = None

    def __init__(self, *_: object, **__: object) -> None:
        self.done: list[str] = []

    def of_host(self) -> list[Wanted]:
        """See `Keeper.of_host`."""
        return []

    def reload(self) -> None:
        """See `Keeper.reload`."""

    def look(self, *, domains: bool = True) -> None:
        """See `Keeper.look`."""
        self.roll()

    def roll(self) -> None:
        """See `Keeper.roll`."""
        if self.failure:
            raise self.failure

    def faults(self) -> list[str]:
        """See `Keeper.faults`."""
        return list(self.faulty)


@pytest.fixture(autouse=True)
def keeper(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> type[Keeper]:
    (tmp_path / "configuration").write_text("{}")
    monkeypatch.setattr(program, "CONFIGURATION", tmp_path / "configuration")
    monkeypatch.setattr(program, "LOCK", tmp_path / "lock")
    monkeypatch.setattr(program, "CERTIFICATES", tmp_path)
    monkeypatch.setattr(program, "Keeper", Keeper)
    return Keeper


@pytest.mark.parametrize(("command", "status"), [("check", 1), ("now", 1), ("host", 0), ("roll", 0), ("", 0)])
def test_what_is_wrong_is_the_answer_of_those_who_ask(
    keeper: type[Keeper],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    command: str,
    status: int,
) -> None:
    monkeypatch.setattr(keeper, "faulty", ("a.example: no",))
    assert program.main([command] if command else []) == status
    assert capsys.readouterr().out == ("a.example: no\n" if status else "")
    monkeypatch.setattr(keeper, "faulty", ())
    assert program.main([command] if command else []) == 0


@pytest.mark.parametrize("command", ["now", "roll"])
@pytest.mark.parametrize(
    "failure",
    [OSError(28, "No space left on device"), FailureError("no"), subprocess.TimeoutExpired("openssl", 60)],
)
def test_a_failure_is_a_line(
    keeper: type[Keeper],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    failure: Exception,
    command: str,
) -> None:
    monkeypatch.setattr(keeper, "failure", failure)
    assert program.main([command]) == 1
    assert capsys.readouterr().err == f"{failure}\n"


@pytest.mark.parametrize("arguments", [["rol"], ["help"], ["now", "host"]])
def test_an_unknown_command_is_refused_with_those_that_there_are(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert program.main(arguments) == 2
    told = capsys.readouterr().err
    for command in program.COMMANDS:
        assert " ".join(["certificates", *command]) in told
