"""Hosts one after the other: the order, and the end at the first that fails. No host is asked."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import OperationError, PyinfraError
from pyinfra.api.inventory import Inventory
from pyinfra.api.operation import add_op
from pyinfra.api.operations import run_ops
from pyinfra.context import host

from mailstack import run
from mailstack.operation import local_command, operation
from tests.unit.test_hosts import inventory

seen: list[str] = []


@operation
def _verified() -> Generator[PyinfraCommand]:
    def look() -> None:
        seen.append(host.name)
        if host.name == "one":
            raise OperationError("1 check failed")

    yield local_command(look)


@pytest.mark.parametrize(
    ("primary", "order"), [(None, ["two", "three", "one"]), ("three", ["three", "two", "one"])]
)
def test_the_database_comes_first(primary: str | None, order: list[str]) -> None:
    hosts = inventory(data={"mail_db_primary": primary}, mx=["one"], db=["two", "three"])
    state = hosts["one"].state
    state.active_hosts = {*hosts.values()}
    assert [each.name for each in run.in_turn(state.inventory)] == order
    state.active_hosts -= {hosts["two"]}
    assert [each.name for each in run.in_turn(state.inventory)] == [each for each in order if each != "two"]


def test_the_first_that_fails_ends_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Inventory, "get_active_hosts", run.in_turn)
    hosts = inventory(db=["three"], mx=["one", "two"])
    state = hosts["one"].state
    state.check_for_changes = False  # as with -y
    state.config.FAIL_PERCENT = 0
    state.activated_hosts, state.active_hosts = {*hosts.values()}, {*hosts.values()}
    seen.clear()
    add_op(state, _verified, name="Verify")
    with pytest.raises(PyinfraError, match="Over 0% of hosts failed"):
        run_ops(state, serial=True)
    assert seen == ["three", "one"]
