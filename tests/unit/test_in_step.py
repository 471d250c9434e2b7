"""Hosts that need each other, where pyinfra does one after the other."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api.exceptions import PyinfraError
from pyinfra.context import ctx_host

from mailstack import secrets
from mailstack.facts import reading
from mailstack.operations import in_step
from tests.unit.test_hosts import inventory


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
    store = secrets.Store({}, owner=hosts["one"])
    operation: Any = in_step._owner_is_well
    with ctx_host.use(hosts["two"]):
        if refused:
            with pytest.raises(PyinfraError, match=r"one has the database, does not keep db-x .*--serial"):
                list(operation._inner(owner="one", store=store, names=["db-x"]))
        else:
            assert list(operation._inner(owner="one", store=store, names=["db-x"])) == []
