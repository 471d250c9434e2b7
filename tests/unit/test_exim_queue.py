"""Warnings of mail that exim4 has not delivered."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mailstack.facts import exim_queue


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("", None),
        ("0\nexim4\n", None),
        (
            "1\nexim4\n",
            "1 message lies in exim4's queue (/var/spool/exim4/input): installing Postfix",
        ),
        ("2\n", "2 messages lie in exim4's queue (/var/spool/exim4/input): nothing delivers them any more"),
    ],
)
def test_every_message_is_named(monkeypatch: pytest.MonkeyPatch, found: str, said: str | None) -> None:
    logged: list[str] = []
    host = SimpleNamespace(log_styled=lambda text, **_: logged.append(text))
    monkeypatch.setattr(exim_queue, "current_host", lambda: host)
    exim_queue.name_exim_queue(exim_queue.EXIM_QUEUE.parse(found))
    assert len(logged) == (said is not None)
    assert said is None or logged[0].startswith(said)
