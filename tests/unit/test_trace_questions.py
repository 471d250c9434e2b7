"""The arguments of `mailstack.trace`, and the journal as it comes from a host."""

from __future__ import annotations

import base64
import gzip

import pytest
from pyinfra.api.exceptions import OperationError, OperationValueError

from mailstack.tracing.commands import _since, _wanted
from mailstack.tracing.journal import MailJournal


@pytest.mark.parametrize(
    ("given", "passed"),
    [
        ("2h", "-2h"),
        ("5d", "-5d"),
        ("1 week", "-1 week"),
        ("yesterday", "yesterday"),
        ("2026-01-31 12:00", "2026-01-31 12:00"),
        ("-3h", "-3h"),
        ("2 hours", "-2 hours"),
        ("1h 30min", "-1h 30min"),
        ("3 days ago", "-3 days"),
        ("today", "today"),
        ("08:15", "08:15"),
        ("2026-01-31", "2026-01-31"),
        ("2026-01-31T12:00:05", "2026-01-31 12:00:05"),
        ("2026-01-31 12:00 UTC", "2026-01-31 12:00 UTC"),
        ("@1769860800", "@1769860800"),
    ],
)
def test_since(given: str, passed: str) -> None:
    assert _since(given) == passed


@pytest.mark.parametrize(
    "given",
    [
        "--flush",
        "1d\x1b[2J",
        "a\nb",
        "",
        "7",
        "2x",
        "nonsense",
        "+2h",
        "2026-13-01",
        "2026-01-31 25:00",
        "UTC",
    ],
)
def test_a_time_that_journalctl_does_not_know_is_refused(given: str) -> None:
    """It would print nothing, as if there were no such mail."""
    with pytest.raises(OperationValueError, match=r"since = .*: allowed: such as 2h"):
        _since(given)


@pytest.mark.parametrize("given", ["nonsense", "4F", "4F1C22E0A3; reboot", "a@b\x1b", "x y@example.org"])
def test_only_what_can_be_found(given: str) -> None:
    with pytest.raises(OperationValueError, match="message"):
        _wanted(given)


@pytest.mark.parametrize(
    "given", ["4F1C22E0A3", "4dQxYz2Bk4zQmJ8", "a@b", "<x=y@example.org>", '"x y"@example.org']
)
def test_what_can_be_found(given: str) -> None:
    assert _wanted(given) == given


def test_the_journal_is_packed() -> None:
    question = MailJournal.of("-1d")
    packed = base64.b64encode(gzip.compress(b"one\ntwo \xff\n")).decode()
    assert question.parse(f"{packed}\n") == ["one", "two \ufffd", ""]
    for broken in (packed[:-8], "", "?"):
        with pytest.raises(OperationError, match="not complete"):
            question.parse(broken)
    assert '--since="$1"' in question.ask(question.about)
