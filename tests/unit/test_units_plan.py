"""The steps by which a service runs with the configuration on disk."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from mailstack.facts.units import Units, UnitStates
from mailstack.operations.units import Step, Unit, _script, _states, mark, plan
from mailstack.shell import script

PLAIN = Unit("dovecot")
WRAPPED = Unit("postgresql", "postgresql@15-main")
LISTENERS = frozenset({"25", "/run/socket"})
UP = {"ActiveState": "active", "UnitFileState": "enabled", "NeedDaemonReload": "no", "MainPID": "7"}
INSTANCE = {**UP, "UnitFileState": "enabled-runtime"}


def words(unit: Unit, *marks: str, **states: dict[str, str]) -> list[str]:
    """Return the steps; `wrapper` and `process` override the states of the units."""
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
def test_marks_cause_a_reload_or_restart(unit: Unit) -> None:
    assert words(unit, f"{unit.name}.reload") == ["reload"]
    assert words(unit, f"{unit.name}.restart", f"{unit.name}.reload") == ["restart"]


def test_a_service_whose_work_is_done_needs_no_process() -> None:
    done = {"MainPID": "0", "Type": "oneshot"}
    assert words(Unit("mailstack-x", unit_file="/x.service"), wrapper=done) == []
    assert words(Unit("mailstack-x", unit_file="/x.service"), wrapper={"MainPID": "0"}) == ["restart"]


@pytest.mark.parametrize("state", ["inactive", "failed", "activating", "deactivating"])
def test_a_stopped_service_is_started_without_further_steps(state: str) -> None:
    assert words(PLAIN, "dovecot.restart", wrapper={"ActiveState": state}) == ["start"]
    assert words(WRAPPED, "postgresql.reload", process={"ActiveState": state}) == ["start"]


def test_a_process_without_its_wrapper_is_restarted_too() -> None:
    assert words(WRAPPED, "postgresql.restart", wrapper={"ActiveState": "inactive"}) == ["start", "restart"]


def test_a_masked_service_is_unmasked() -> None:
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


def test_the_process_is_restarted_and_not_its_wrapper() -> None:
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
    states = UnitStates.of("dovecot").parse(f"=\n{shown}=\n=\n=\n=\n")
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
    """The mtime counts, as its mode or owner may change later."""
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
    old_unit_s = unit._replace(program="/usr/lib/postfix/sbin/master", pid_file="/lock")
    states = Units({"postfix": UP, "postfix@-": UP}, masters={"/lock": ("23", "master", "postfix@-")})
    assert [step.word for step in plan(old_unit_s, states)] == ["stop postfix@-", "start"]
    down = Units({**states.properties, "postfix": {**UP, "ActiveState": "inactive"}}, masters=states.masters)
    assert [step.word for step in plan(old_unit_s, down)] == ["stop postfix@-", "start"]


def test_a_drop_in_that_systemd_has_not_read_is_read() -> None:
    unit = Unit("dovecot", drop_in=True)
    assert words(unit) == ["daemon-reload"]
    read = {"DropInPaths": "/etc/systemd/system/dovecot.service.d/mailstack.conf /other.conf"}
    assert words(unit, wrapper=read) == []


def test_a_master_that_a_signal_has_stopped_is_restarted() -> None:
    states = Units({"dovecot": UP}, halted=frozenset({"7"}))
    (step,) = plan(PLAIN, states)
    assert step.title == "restart (its master was stopped by a signal)"
    assert step.command == "{ systemctl kill -s CONT dovecot; systemctl restart dovecot; }"
    assert plan(PLAIN, Units({"dovecot": UP}, halted=frozenset({"8"}))) == []


@pytest.mark.parametrize(
    ("state", "holder", "planned"),
    [
        ("inactive", ("23", "dovecot", ""), ["stop process 23", "start"]),
        ("failed", ("23", "dovecot", "ssh"), ["stop process 23", "start"]),
        ("activating", ("23", "dovecot", "dovecot"), ["start"]),
        ("inactive", ("23", "other", ""), ["start"]),  # it has the number by chance
        ("active", ("23", "dovecot", ""), []),
    ],
)
def test_a_master_outside_of_its_unit_is_stopped_first(
    state: str, holder: tuple[str, str, str], planned: list[str]
) -> None:
    unit = Unit("dovecot", program="/usr/sbin/dovecot", pid_file="/run/dovecot/master.pid")
    steps = plan(
        unit, Units({"dovecot": {**UP, "ActiveState": state}}, masters={unit.pid_file or "": holder})
    )
    assert [step.word for step in steps] == planned
    if "stop process 23" in planned:
        assert steps[0].title == "stop process 23 (it runs outside of the unit)"
        assert steps[0].command.startswith("{ kill 23 ")


def test_a_masked_service_of_mailstack_is_left_alone() -> None:
    masked = {"UnitFileState": "masked", "ActiveState": "inactive"}
    assert words(Unit("helper", unit_file="/usr/local/lib/helper.service"), wrapper=masked) == []
    assert words(Unit("helper"), wrapper=masked) != []


# What is done with a step, and what is asked of the host


def commands(unit: Unit, **states: dict[str, str]) -> dict[str, str]:
    """Return the command of each step."""
    properties = {name: {**UP, **values} for name, values in states.items()}
    return {step.word: step.command for step in plan(unit, Units(properties))}


def test_a_unit_that_does_not_work_though_it_runs_is_restarted(tmp_path: Path) -> None:
    flag = tmp_path / "flushed"
    unit = Unit("guard", sound=f'set -- "its rules"\n[ ! -e {flag} ] || echo "$1 are away"')
    other = Unit("other", sound="echo broken")

    def steps(asked: Unit) -> list[str]:
        question = UnitStates.of(
            ["guard", "other"], sound={"guard": unit.sound or "", "other": "echo broken"}
        )
        ran = subprocess.run(
            ["sh"], input=question.ask(question.about), capture_output=True, text=True, timeout=60
        )
        states = question.parse(ran.stdout)
        found = replace(states, properties={"guard": UP, "other": UP}, marks=frozenset())
        return [step.title for step in plan(asked, found)]

    assert steps(unit) == [] and steps(other) == ["restart (broken)"]
    flag.touch()
    assert steps(unit) == ["restart (its rules are away)"]
    assert _states(unit) == UnitStates.of("guard", sound={"guard": unit.sound or ""})


@pytest.mark.parametrize("watcher", ["a.path", "a.timer", "a.socket"])
def test_what_a_watcher_starts_is_reset_too(watcher: str) -> None:
    """A path unit does not watch for a service that hit its start limit."""
    start = commands(Unit(watcher), **{watcher: {"ActiveState": "failed"}})["start"]
    assert start.startswith(f"{{ systemctl reset-failed {watcher} {watcher} a.service 2>/dev/null; ")


def test_both_units_stop_before_the_new_one_starts() -> None:
    """systemd would end the one when it starts or reloads the other."""
    unit = Unit("new", replaces="old")
    assert commands(unit, new={}, old={})["stop old"] == "systemctl stop old new"


def test_a_unit_that_hit_its_start_limit_is_reset() -> None:
    start = commands(WRAPPED, postgresql={}, **{"postgresql@15-main": {"ActiveState": "failed"}})["start"]
    names = "postgresql postgresql@15-main"
    assert start == f"{{ systemctl reset-failed {names} 2>/dev/null; systemctl start {names}; }}"


@pytest.mark.parametrize("word", ["start", "restart"])
def test_clients_are_told_of_a_new_server(word: str) -> None:
    unit = Unit("postgresql", clients=("dovecot",))
    told = "if systemctl is-active --quiet dovecot; then mkdir -p"
    assert told in _script(unit, [Step(word, "true")])
    assert told not in _script(unit, [Step("reload", "true")])


def test_all_states_of_a_unit_are_asked() -> None:
    unit = Unit("postfix", "postfix@-", program="/master", pid_file="/pid", replaces="other")
    assert _states(unit) == UnitStates.of(["postfix@-", "postfix", "other"], "/master", "/pid")
    helper = Unit("helper", unit_file="/helper.service")
    assert _states(helper) == UnitStates.of("helper", "/helper.service")


def test_systemd_is_asked_for_all_properties() -> None:
    """The start time of the master is one: without it no program would ever be newer."""
    command = UnitStates().command("dovecot", "/usr/sbin/dovecot", "/run/dovecot/master.pid")
    (asked,) = re.findall(r"systemctl show --timestamp=unix -p (\S+) dovecot.service;", command)
    assert {"ActiveState", "MainPID", "ExecMainStartTimestamp"} <= set(asked.split(","))
    assert "stat -c '%Z %Y %n' /usr/sbin/dovecot;" in command  # when it was put there, and when written
    assert "set -- /run/dovecot/master.pid\n" in command


def test_ports_of_both_versions_of_ip_count() -> None:
    assert "/proc/net/tcp /proc/net/tcp6 " in script("listeners")


def test_masters_are_found_by_their_files(tmp_path: Path) -> None:
    def said(*files: Path) -> list[str]:
        given = script("masters", *map(str, files))
        done = subprocess.run(["sh"], input=given, capture_output=True, text=True, timeout=60)
        return done.stdout.splitlines()

    sleeper = subprocess.Popen(["sleep", "60"])
    pid = str(sleeper.pid)
    other, file, missing = tmp_path / "other", tmp_path / "file", tmp_path / "missing"
    other.write_text("4194305\n")  # more than any process has
    file.write_text(f"        {pid}\nmore\n")
    try:
        assert [line.split("\t")[:3] for line in said(missing, other, file) if "\t" in line] == [
            [pid, str(file), "sleep"]
        ]
        assert pid not in said()
        sleeper.send_signal(signal.SIGSTOP)
        os.waitpid(sleeper.pid, os.WUNTRACED)
        assert pid in said()
    finally:
        sleeper.kill()
        sleeper.wait()
