"""Hosts that need each other, while pyinfra works on one after the other."""

from __future__ import annotations

import re
from typing import Any

import pytest
from pyinfra.context import ctx_host

from mailstack import secrets
from mailstack.facts import reading
from mailstack.operations import in_step
from mailstack.topology import Node
from tests.unit.test_hosts import inventory
from tests.unit.test_operation import execute


@pytest.mark.parametrize(
    ("checked", "kept", "refused"),
    [(False, None, True), (False, "x", False), (True, None, False)],
    ids=["a first run", "a later run", "in step"],
)
def test_a_first_run_by_serial_stops_before_the_mail_host_is_changed(
    monkeypatch: pytest.MonkeyPatch, checked: bool, kept: str | None, refused: bool
) -> None:
    hosts = inventory(db=["one"], mx=["two"], imap=["two"])
    hosts["one"].connected = True
    state = hosts["two"].state
    state.active_hosts = set(hosts.values())
    state.is_executing = True
    reading._of_hosts[hosts["one"]] = reading._Readings(checked=(checked, 0))
    monkeypatch.setattr(secrets, "read", lambda probe, owner: kept)
    store = secrets.Store({}, owner=Node("one"))
    operation: Any = in_step._owner_is_well
    with ctx_host.use(hosts["two"]):
        commands = list(operation._inner(owner="one", store=store, names=["db-x"]))
    if refused:
        done, said = execute(commands[0])
        assert not done
        assert re.match(r"one has the database, does not keep db-x .*--serial", said[0])
    else:
        assert commands == []
