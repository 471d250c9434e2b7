"""What is done so that a service runs with the configuration on disk."""

from __future__ import annotations

import pytest

from mailstack.facts.units import Units, UnitStates
from mailstack.operations.units import Step, Unit, mark, plan

PLAIN = Unit("dovecot")
WRAPPED = Unit("postgresql", "postgresql@15-main")
LISTENERS = frozenset({"25", "/run/socket"})
UP = {"ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no", "MainPID": "7"}
INSTANCE = {**UP, "UnitFileState": "enabled-runtime"}


def words(unit: Unit, *marks: str, **states: dict[str, str]) -> list[str]:
    """The steps; `wrapper` and `process` override what the units are."""
    properties = {unit.name: {**UP, **states.get("wrapper", {})}}
    if unit.instance:
        properties[unit.instance] = {**INSTANCE, **states.get("process", {})}
    if unit.replaces:
        properties[unit.replaces] = states.get("replaced", {"ActiveState": "inactive"})
    found = Units(properties, frozenset(marks), listeners=LISTENERS)
    return [step.word for step in plan(unit, found)]


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


def test_a_service_starts_with_the_unit_of_this_release() -> None:
    unit = Unit("mailstack-recover", wanted_by="postfix")
    assert words(unit, wrapper={"WantedBy": "multi-user.target postfix.service"}) == []
    assert words(unit, wrapper={"WantedBy": ""}) == []
    assert words(unit, wrapper={"WantedBy": "postfix@-.service"}) == ["enable with postfix"]
    assert words(unit, wrapper={"UnitFileState": "disabled", "WantedBy": ""}) == ["enable"]


def test_a_unit_file_that_changed_is_read_again() -> None:
    assert words(PLAIN, wrapper={"NeedDaemonReload": "yes"}) == ["daemon-reload"]


def test_the_process_is_what_is_restarted() -> None:
    properties = {"postgresql": UP, "postgresql@15-main": INSTANCE}
    states = Units(properties, frozenset({"postgresql.restart"}))
    assert plan(WRAPPED, states) == [Step("restart", "systemctl restart postgresql@15-main")]
    assert mark("postgresql", "restart").endswith("/pending/postgresql.restart")


def test_a_service_may_be_reloaded_without_systemd() -> None:
    unit = Unit("postfix", reload="postfix reload")
    states = Units({"postfix": UP}, frozenset({"postfix.reload"}))
    assert plan(unit, states) == [Step("reload", "postfix reload")]


def test_a_unit_that_is_unknown_does_not_run() -> None:
    shown = "Id=dovecot.service\nActiveState=inactive\nUnitFileState=\nNeedDaemonReload=no\n"
    states = UnitStates.of("dovecot").parse(f"=\n{shown}=\n=\n")
    assert not states.is_active("dovecot")
    assert not states.is_enabled("dovecot")
    assert not states.is_active("postfix")


def test_an_active_unit_without_its_master_is_restarted() -> None:
    """systemd calls a unit active as long as any of its processes lives."""
    (step,) = plan(PLAIN, Units({"dovecot": {**UP, "MainPID": "0"}}))
    assert step.title == "restart (its master is dead)"


@pytest.mark.parametrize(("installed", "planned"), [(100, []), (101, ["restart"])])
def test_a_program_that_is_newer_than_its_process_is_restarted(installed: int, planned: list[str]) -> None:
    unit = Unit("dovecot", program="/usr/sbin/dovecot")
    properties = {"dovecot": {**UP, "ExecMainStartTimestamp": "@100"}}
    states = Units(properties, times={"/usr/sbin/dovecot": (installed, 0)})
    assert [step.word for step in plan(unit, states)] == planned


@pytest.mark.parametrize(("written", "planned"), [(100, []), (101, ["restart"])])
def test_a_unit_file_that_is_newer_than_its_process_takes_a_restart(written: int, planned: list[str]) -> None:
    """When it was written counts: its mode or owner may change later."""
    unit = Unit("helper", unit_file="/etc/systemd/system/helper.service")
    properties = {"helper": {**UP, "ExecMainStartTimestamp": "@100"}}
    states = Units(properties, times={"/etc/systemd/system/helper.service": (200, written)})
    assert [step.word for step in plan(unit, states)] == planned


def test_a_unit_that_does_not_listen_is_restarted() -> None:
    assert words(Unit("postfix", listens=("25", "/run/socket"))) == []
    assert words(Unit("postfix", listens=("25", "587"))) == ["restart"]
    assert words(Unit("postfix", listens=("/run/other",))) == ["restart"]


def test_the_unit_of_the_release_before_is_stopped_first() -> None:
    unit = Unit("postfix", replaces="postfix@-")
    assert words(unit) == []
    assert words(unit, replaced={"ActiveState": "active"}) == ["stop postfix@-", "start"]


def test_a_drop_in_that_systemd_has_not_read_is_read() -> None:
    unit = Unit("dovecot", drop_in=True)
    assert words(unit) == ["daemon-reload"]
    read = {"DropInPaths": "/etc/systemd/system/dovecot.service.d/mailstack.conf /other.conf"}
    assert words(unit, wrapper=read) == []
