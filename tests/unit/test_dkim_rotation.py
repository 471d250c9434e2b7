"""Rotation of DKIM keys: which operation has something to do. The script itself is not run."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from types import SimpleNamespace

import pytest
from pyinfra.api.exceptions import OperationError

from mailstack import certificates, dkim, run
from mailstack.components.dkim import SCRIPT
from mailstack.facts.dkim import DkimKey

LONG_AGO = datetime.now(UTC) - timedelta(days=8)
SIGNS = DkimKey("example.org", "rsa1", '"v=DKIM1"', signs=True, since=LONG_AGO)
WAITS = DkimKey("example.org", "rsa2", '"v=DKIM1"', signs=False, since=LONG_AGO)
OLD = replace(SIGNS, signs=False)
NEW = replace(WAITS, signs=True)


@pytest.mark.parametrize(
    "name, keys, does",
    [
        ("publish", [], "publish example.org"),
        ("publish", [SIGNS], "publish example.org"),
        ("publish", [SIGNS, WAITS], None),
        ("switch", [SIGNS, WAITS], "switch example.org"),
        ("switch", [SIGNS], None),
        ("retire", [SIGNS], None),
        ("retire", [SIGNS, WAITS], None),
        ("retire", [OLD, NEW], "retire example.org"),
        ("retire", [OLD, WAITS], None),
    ],
)
def test_nothing_is_done_twice(
    name: str, keys: list[DkimKey], does: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(dkim, "read", lambda _: {key.selector: key for key in keys})
    monkeypatch.setattr(dkim, "host", SimpleNamespace(noop=said.append))
    monkeypatch.setattr(dkim, "_is_here", lambda: True)
    commands = list(getattr(dkim, name)._inner("Example.org"))
    scripts = [command.connector_arguments["_stdin"] for command in commands]
    assert [SCRIPT in text and f"{does}\n" in text for text in scripts] == ([True] if does else [])
    assert bool(said) != bool(does)


def test_an_old_key_is_not_deleted_while_mail_may_be_on_its_way(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    warned: list[str] = []
    monkeypatch.setattr(dkim, "warn_once", warned.append)
    keys = [replace(key, since=datetime.now(UTC) - timedelta(days=6)) for key in (OLD, NEW)]
    monkeypatch.setattr(dkim, "read", lambda _: {key.selector: key for key in keys})
    monkeypatch.setattr(dkim, "host", SimpleNamespace(noop=said.append))
    monkeypatch.setattr(dkim, "_is_here", lambda: True)
    inner = dkim.retire._inner  # type: ignore[attr-defined]
    assert list(inner("example.org")) == []
    assert said and warned[0].startswith("rsa1 of example.org may have signed until ")
    assert list(inner("example.org", now=False)) == []
    assert len(list(inner("example.org", now=True))) == 1


@pytest.mark.parametrize("now", ["no", "maybe", "off", 1, None])
def test_only_true_does_not_wait(now: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """On the command line, every other text would be true."""
    monkeypatch.setattr(run, "is_executing", lambda: False)
    monkeypatch.setattr(run, "current_host", lambda: SimpleNamespace(name="mail"))
    for inner in (partial(dkim.retire._inner, "example.org"), certificates.roll._inner):  # type: ignore[attr-defined]
        with pytest.raises(OperationError, match=f"^mail: now = {now!r}: must be true or false$"):
            list(inner(now=now))


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({}, r"mailstack\.dkim\.retire DOMAIN \[now=…\]: missing a required argument: 'domain'"),
        ({"domain": "a.example", "nwo": True}, "got an unexpected keyword argument 'nwo'"),
        ({"domain": "a.example"}, r"a\.example has no keys"),
    ],
)
def test_wrong_arguments_are_told_in_one_line(
    given: dict[str, object], told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dkim, "read", lambda _: {})
    monkeypatch.setattr(dkim, "_is_here", lambda: True)
    monkeypatch.setattr(run, "is_executing", lambda: False)
    monkeypatch.setattr(run, "current_host", lambda: SimpleNamespace(name="mail"))
    with pytest.raises(OperationError, match=told):
        list(dkim.retire._inner(**given))  # type: ignore[attr-defined]


def test_without_keys_there_is_nothing_to_switch_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dkim, "read", lambda _: {})
    monkeypatch.setattr(dkim, "_is_here", lambda: True)
    monkeypatch.setattr(run, "is_executing", lambda: False)
    monkeypatch.setattr(run, "current_host", lambda: SimpleNamespace(name="mail"))
    with pytest.raises(
        OperationError, match=r"mail: example\.org has no keys; mailstack\.dkim\.publish makes"
    ):
        list(dkim.switch._inner("example.org"))  # type: ignore[attr-defined]
