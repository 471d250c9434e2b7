"""What is done so that a service runs with the configuration on disk."""

from __future__ import annotations

import pytest

from mailstack.facts.units import UnitStates, unit_states
from mailstack.operations.units import Unit, mark, plan

PLAIN = Unit("dovecot")
WRAPPED = Unit("postgresql", "postgresql@15-main")
UP = {"ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no"}
INSTANCE = {**UP, "UnitFileState": "enabled-runtime"}


def words(unit: Unit, *marks: str, **states: dict[str, str]) -> list[str]:
    """The steps; `wrapper` and `process` override what the units are."""
    properties = {unit.name: {**UP, **states.get("wrapper", {})}}
    if unit.instance:
        properties[unit.instance] = {**INSTANCE, **states.get("process", {})}
    return [word for word, _ in plan(unit, UnitStates(properties, frozenset(marks)))]


@pytest.mark.parametrize("unit", [PLAIN, WRAPPED])
def test_a_running_service_is_left_alone(unit: Unit) -> None:
    assert words(unit, "other.reload", "other.restart") == []


@pytest.mark.parametrize("unit", [PLAIN, WRAPPED])
def test_marks_say_what_a_service_has_not_seen(unit: Unit) -> None:
    assert words(unit, f"{unit.name}.reload") == ["reload"]
    assert words(unit, f"{unit.name}.restart", f"{unit.name}.reload") == ["restart"]


@pytest.mark.parametrize("state", ["inactive", "failed", "activating", "deactivating"])
def test_what_does_not_run_is_started_and_so_sees_everything(state: str) -> None:
    assert words(PLAIN, "dovecot.restart", wrapper={"ActiveState": state}) == ["start"]
    assert words(WRAPPED, "postgresql.reload", process={"ActiveState": state}) == ["start"]


def test_a_process_without_its_wrapper_still_has_to_see_the_change() -> None:
    assert words(WRAPPED, "postgresql.restart", wrapper={"ActiveState": "inactive"}) == ["start", "restart"]


def test_a_masked_service_is_freed() -> None:
    masked = {"UnitFileState": "masked", "ActiveState": "inactive"}
    assert words(PLAIN, wrapper=masked) == ["unmask", "enable", "start"]
    assert words(WRAPPED, process=masked) == ["unmask", "start"]


def test_a_disabled_service_is_enabled() -> None:
    assert words(PLAIN, wrapper={"UnitFileState": "disabled"}) == ["enable"]


def test_a_unit_file_that_changed_is_read_again() -> None:
    assert words(PLAIN, wrapper={"NeedDaemonReload": "yes"}) == ["daemon-reload"]


def test_the_process_is_what_is_restarted() -> None:
    states = UnitStates({"postgresql": UP, "postgresql@15-main": INSTANCE}, frozenset({"postgresql.restart"}))
    assert plan(WRAPPED, states) == [("restart", "systemctl restart postgresql@15-main")]
    assert mark("postgresql", "restart").endswith("/pending/postgresql.restart")


def test_a_service_may_be_reloaded_without_systemd() -> None:
    unit = Unit("postfix", reload="postfix reload")
    states = UnitStates({"postfix": UP}, frozenset({"postfix.reload"}))
    assert plan(unit, states) == [("reload", "postfix reload")]


def test_a_unit_that_is_unknown_does_not_run() -> None:
    shown = "Id=dovecot.service\nActiveState=inactive\nUnitFileState=\nNeedDaemonReload=no\n"
    states = unit_states(["dovecot"]).parse(f"\n{shown}")
    assert not states.is_active("dovecot")
    assert not states.is_enabled("dovecot")
    assert not states.is_active("postfix")
