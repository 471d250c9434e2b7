"""A move of mail to another host: what is written when, and what is undone. No host is asked."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationError, OperationValueError

from mailstack import Settings, accounts
from mailstack.accounts.move import Moving
from mailstack.topology import Node

# the command has the same name
move: Any = import_module("mailstack.accounts.move")
ONE, TWO = Node("one", ("imap",), "192.0.2.1"), Node("two", ("imap",), "2001:db8::2")
SETTINGS = Settings(mail_hostname="mail.example.org")


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the move does, in order."""
    steps: list[str] = []
    stored: list[str | None] = [None]

    def change(_: Settings, email: str, before: str | None, after: str) -> None:
        if stored[0] == before:
            stored[0] = after
            steps.append(after)

    monkeypatch.setattr(move, "_change", change)
    monkeypatch.setattr(move, "_set", change)
    monkeypatch.setattr(move, "_run", lambda on, text, within: steps.append(text.partition("\n")[0]))
    monkeypatch.setattr(move.hosts, "host_of", lambda node: node.name)
    return steps


def test_the_mailbox_is_locked_for_the_last_copy_alone(done: list[str]) -> None:
    move._carried(SETTINGS, Moving("a@example.org", "/home", None, ONE, TWO))
    to = "tcps:[2001:db8::2]:24245"
    copy, last = f"doveadm backup -u a@example.org '{to}'", f"set -- a@example.org '{to}'"
    assert done == ["one>two", copy, "one>>two", last, "two"]


@pytest.mark.parametrize("failing", ["doveadm backup", "set -- a@example.org"])
def test_a_user_whose_copy_fails_stays(
    done: list[str], monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    def run(on: object, text: str, within: float) -> None:
        if text.startswith(failing):
            raise OperationError("no")

    monkeypatch.setattr(move, "_run", run)
    with pytest.raises(OperationError, match="no"):
        move._carried(SETTINGS, Moving("a@example.org", "/home", None, ONE, TWO))
    assert done[-1] == "one"


def test_a_move_back_of_a_killed_run_only_unlocks(done: list[str]) -> None:
    before = Moving("a@example.org", "/home", None, ONE, ONE)
    assert move._carried(SETTINGS, before) == 0
    assert done == ["one"]


@pytest.mark.parametrize("users", ["a b@example.org", "no domain", ""])
def test_impossible_users(users: str) -> None:
    with pytest.raises(OperationValueError, match="allowed: an address, a domain, or all"):
        command: Any = accounts.move
        command._inner(users, "two")
