"""systemd units: running, started at boot, and with the configuration that is on disk."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Iterator, Sequence
from typing import NamedTuple

from pyinfra import logger
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from mailstack.facts.platform import PLATFORM, ByPlatform, here, of_any_release
from mailstack.facts.reading import announce, read
from mailstack.facts.units import PENDING, WATCHERS, Units, UnitStates
from mailstack.files import Activation
from mailstack.operation import operation
from mailstack.operations.stages import Change, in_stages
from mailstack.shell import shell


class Unit(NamedTuple):
    """A systemd service, or a unit that watches a path or the time.

    + name: its name without ``.service``, but with ``.path`` or ``.timer``. Marks have it too
    + instance: the unit with the processes, if ``name`` is only a wrapper
    + clients: services on this host that reload after a run starts or restarts this one, to replace broken
      connections. After other restarts ``mailstack-recover`` does that
    + reload: the command to reload it, if it is faster than systemd's
    + program: the program of its master, which is newer than the process if an upgrade did not restart it
    + unit_file: the path of its unit file, for a service of mailstack; a newer one needs a restart
    + listens: the TCP ports, as text, or ``127.0.0.1:PORT``, and paths of Unix-domain sockets on which it
      listens
    + answers: a shell script that succeeds if it works. A run that starts or restarts it fails otherwise
    + sound: a shell script that prints why it must be restarted though it runs, or nothing
    + pid_file: the PID file of its master, also of one started by hand outside the unit
    + drop_in: whether ``components.systemd.drop_in`` has written one for it
    + replaces: a unit that ran the same daemon before an upgrade of Debian
    + wanted_by: the service that it starts with, which may have been another before an upgrade
    """

    name: str
    instance: str | None = None
    clients: tuple[str, ...] = ()
    reload: str | None = None
    program: str | None = None
    unit_file: str | None = None
    listens: tuple[str, ...] = ()
    answers: str | None = None
    sound: str | None = None
    pid_file: str | None = None
    drop_in: bool = False
    replaces: str | None = None
    wanted_by: str | None = None

    @property
    def process(self) -> str:
        """The unit to check, to reload and to restart."""
        return self.instance or self.name


def mark(unit: str, activation: Activation) -> str:
    """Return the path of the mark by which ``unit`` must be reloaded or restarted."""
    return f"{PENDING}/{unit}.{activation}"


def running(units: ByPlatform[Sequence[Unit]]) -> None:
    """Start services, enable them at boot, and make them use the configuration on disk.

    + units: the services for a platform, in the order in which they start

    A change of configuration leaves a mark on the host first. This removes the mark after the daemon has read
    the change. So the next run completes an interrupted one.
    """
    announce_units(units)
    _running(units=units, name="Run services")


def announce_units(units: ByPlatform[Sequence[Unit]]) -> None:
    """Announce the questions of ``changes``."""
    announce(PLATFORM, *map(_states, of_any_release(units)))


@operation
def _running(units: ByPlatform[Sequence[Unit]]) -> Generator[PyinfraCommand]:
    yield from in_stages([lambda: changes(here(units))], "all run with the configuration on disk")


def changes(units: Sequence[Unit]) -> Iterator[Change]:
    """Compare the units with their states on the host."""
    for unit in units:
        if is_switched_off(unit, state_of(unit)):
            host.log_styled(
                f"{unit.name} is masked and left alone, until `systemctl unmask {unit.name}`",
                fg="yellow",
                log_func=logger.warning,
            )
        if steps := plan(unit, state_of(unit)):
            yield Change([_title(unit, steps)], shell(_script(unit, steps)))


def titles(units: Sequence[Unit]) -> Iterator[str]:
    """Yield what ``changes`` would do, a line for each unit."""
    for unit in units:
        if steps := plan(unit, state_of(unit)):
            yield _title(unit, steps)


def state_of(unit: Unit) -> Units:
    """Return the state of a unit, as ``announce_units`` asks for it."""
    return read(_states(unit))


def _title(unit: Unit, steps: Sequence[Step]) -> str:
    return f"{unit.name}: {', '.join(step.title for step in steps)}"


def _script(unit: Unit, steps: Sequence[Step]) -> str:
    process = shlex.quote(unit.process)
    marks = " ".join(shlex.quote(mark(unit.name, kind)) for kind in ("reload", "restart"))
    act = " && ".join(step.command for step in steps)
    if {"start", "restart"} & {step.word for step in steps}:
        act = "".join(f"{_tell(client)}; " for client in unit.clients) + act
        if unit.answers:
            said = shlex.quote(f"{unit.name}: it does not work")
            act += f" && {{ ( {unit.answers}\n) || {{ echo {said} >&2; false; }}; }}"
    return (
        f"{{ {act}; }} && systemctl is-active --quiet {process} && rm -f {marks} || "
        f"{{ systemctl --no-pager --lines=20 status {process}; exit 1; }}"
    )


def _tell(client: str) -> str:
    name, path = shlex.quote(client), shlex.quote(mark(client, "reload"))
    return f"if systemctl is-active --quiet {name}; then mkdir -p {shlex.quote(PENDING)}; : > {path}; fi"


def _states(unit: Unit) -> UnitStates:
    units = dict.fromkeys([unit.process, unit.name, *([unit.replaces] if unit.replaces else [])])
    file = unit.program or unit.unit_file
    sound = {unit.process: unit.sound} if unit.sound else {}
    return UnitStates.of(units, [file] if file else [], [unit.pid_file] if unit.pid_file else [], sound)


def is_switched_off(unit: Unit, states: Units) -> bool:
    """Return whether it is a service of mailstack's own that an administrator has masked; no run does."""
    return unit.unit_file is not None and states.is_masked(unit.name)


class Step(NamedTuple):
    """One step for a unit: its name, its command, and the reason if it is not obvious."""

    word: str
    command: str
    reason: str | None = None

    @property
    def title(self) -> str:
        """The name, with the reason."""
        return f"{self.word} ({self.reason})" if self.reason else self.word


def plan(unit: Unit, states: Units) -> list[Step]:
    """Return the needed steps, in order."""
    name, process = shlex.quote(unit.name), shlex.quote(unit.process)
    if is_switched_off(unit, states):
        return []
    steps = []
    masked = [each for each in states.properties if states.is_masked(each)]
    if masked:
        steps.append(Step("unmask", f"systemctl unmask {shlex.join(masked)}"))
    changed = any(values.get("NeedDaemonReload") == "yes" for values in states.properties.values())
    if changed or (unit.drop_in and states.misses_drop_in(unit.process)):
        steps.append(Step("daemon-reload", "systemctl daemon-reload"))
    if not states.is_enabled(unit.name):
        steps.append(Step("enable", f"systemctl enable --quiet {name}"))
    elif unit.wanted_by and not states.is_wanted_by(unit.name, unit.wanted_by):
        steps.append(Step(f"enable with {unit.wanted_by}", f"systemctl reenable --quiet {name}"))
    active = states.is_active(unit.process)
    if unit.replaces and states.is_active(unit.replaces):
        # both units name the same master: systemd stops one when it starts or reloads the other
        steps.append(Step(f"stop {unit.replaces}", f"systemctl stop {shlex.quote(unit.replaces)} {process}"))
        active = False
    elif not active and (stray := _stray(unit, states)):
        # a master started by hand: the unit can't start beside it
        stop = f"{{ kill {stray} 2>/dev/null; timeout 60 tail --pid={stray} -f /dev/null; }}"
        steps.append(Step(f"stop process {stray}", stop, "it runs outside of the unit"))
    if not (active and states.is_active(unit.name)):
        # systemd refuses to start a unit that hit its start limit, and to watch for one that did
        ended = shlex.quote(f"{unit.name.rpartition('.')[0]}.service") if unit.name.endswith(WATCHERS) else ""
        reset = f"systemctl reset-failed {' '.join(filter(None, [name, process, ended]))} 2>/dev/null"
        steps.append(Step("start", f"{{ {reset}; systemctl start {name} {process}; }}"))
    # the process may run while its wrapper is stopped
    if active:
        fault = states.fault(unit.process, unit.program, unit.unit_file, unit.listens)
        if fault or f"{unit.name}.restart" in states.marks:
            restart = f"systemctl restart {process}"
            if states.is_halted(unit.process):  # it would not hear that it should end
                restart = f"{{ systemctl kill -s CONT {process}; {restart}; }}"
            steps.append(Step("restart", restart, fault))
        elif f"{unit.name}.reload" in states.marks:
            steps.append(Step("reload", unit.reload or f"systemctl reload {process}"))
    return steps


def _stray(unit: Unit, states: Units) -> str | None:
    if not (unit.program and unit.pid_file):
        return None
    return states.stray(unit.process, unit.program, unit.pid_file)
