"""The changes of an operation, stage by stage."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from pyinfra.api.command import PyinfraCommand, StringCommand

from mailstack.operations import stages
from mailstack.operations.stages import Change, in_stages


class Host:
    """A host with a database that can be asked only once it is there."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.done: list[str] = []
        self.forgot = 0

    def change(self, title: str) -> Change:
        """Return a change that `run` makes."""
        return Change([title], StringCommand(title))

    def create(self) -> list[Change]:
        """Return what the first stage finds."""
        return [] if "create" in self.done else [self.change("create")]

    def fill(self) -> list[Change]:
        """Return what the second stage finds: less before the first was done."""
        words = ["fill"] if "create" in self.done else ["fill blindly"]
        return [self.change(word) for word in words if word not in self.done]

    def run(self) -> list[str]:
        """Take each command as soon as it comes."""
        for command in in_stages([self.create, self.fill], "nothing to do"):
            self.done.append(_text(command))
        return self.done


def _text(command: PyinfraCommand) -> str:
    assert isinstance(command, StringCommand)
    return command.get_raw_value()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """Return that host, while operations are executed."""
    made = Host()

    def forget() -> None:
        made.forgot += 1

    monkeypatch.setattr(stages, "host", SimpleNamespace(log=made.log.append, noop=made.log.append))
    monkeypatch.setattr(stages, "is_executing", lambda: True)
    monkeypatch.setattr(stages, "noted", lambda command: command)
    monkeypatch.setattr(stages, "forget", forget)
    return made


def test_a_stage_sees_what_those_before_it_did(host: Host) -> None:
    assert host.run() == ["create", "fill"]
    assert (host.log, host.forgot) == (["create", "fill"], 2)


def test_nothing_to_do_is_said(host: Host) -> None:
    host.done = ["create", "fill"]
    host.run()
    assert (host.log, host.forgot) == (["nothing to do"], 0)


def test_a_dry_run_shows_all_stages_at_once(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stages, "is_executing", lambda: False)
    first = next(in_stages([host.create, host.fill], "nothing to do"))
    assert _text(first) == "create"
    assert (host.log, host.forgot) == (["create", "fill blindly"], 0)
