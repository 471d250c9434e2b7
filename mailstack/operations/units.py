"""systemd units: running, started at boot, and with the configuration that is on disk."""

from __future__ import annotations

import shlex
from collections.abc import Generator
from typing import NamedTuple

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from mailstack.facts.platform import PLATFORM, ByPlatform, here, of_any_release
from mailstack.facts.reading import Probe, announce, read
from mailstack.facts.units import PENDING, UnitStates, unit_states
from mailstack.files import Activation
from mailstack.shell import shell


class Unit(NamedTuple):
    """A systemd service.

    + name: without ``.service``; marks carry this name
    + instance: the unit whose processes do the work, where ``name`` is only a wrapper
    + clients: services that reload, if they run on this host, once this one was started anew: left alone
      they may wait for a minute before they connect again
    + reload: how to reload it, where systemd would do the same and take as long again for that
    """

    name: str
    instance: str | None = None
    clients: tuple[str, ...] = ()
    reload: str | None = None

    @property
    def process(self) -> str:
        """The unit to look at, to reload and to restart."""
        return self.instance or self.name


def mark(unit: str, activation: Activation) -> str:
    """The path of the mark that says: ``unit`` must be reloaded or restarted."""
    return f"{PENDING}/{unit}.{activation}"


def restart_if_differs(unit: str, now: str, staged: str) -> str:
    """A check for ``config_files`` that leaves a restart mark: for what a daemon reads only when it starts.

    + unit: the service
    + now: a command that prints it from the running configuration
    + staged: a command that prints it from the staged one
    """
    path = shlex.quote(mark(unit, "restart"))
    return f'[ "$({now} 2>&1)" = "$({staged} 2>&1)" ] || {{ mkdir -p {shlex.quote(PENDING)}; : > {path}; }}'


def running(name: str, unit: ByPlatform[Unit] | None = None) -> None:
    """Make a service run, start at boot, and use the configuration that is on disk.

    + name: of the service
    + unit: the service for a platform, if there is more to say of it

    A change of configuration leaves a mark on the host before it is made; the mark is removed here, after
    the daemon took the change. So a run that was cut off in between is made good by the next.
    """
    by_platform = unit or (lambda _: Unit(name))
    announce(PLATFORM, *map(_states, of_any_release(lambda platform: [by_platform(platform)])))
    _running(by_platform=by_platform, name=f"Run {name}")


@operation()
def _running(by_platform: ByPlatform[Unit]) -> Generator[StringCommand]:
    unit = here(by_platform)
    steps = plan(unit, read(_states(unit)))
    if not steps:
        host.noop(f"{unit.name} runs with the configuration on disk")
        return
    host.log(f"{unit.name}: {', '.join(word for word, _ in steps)}")
    process = shlex.quote(unit.process)
    marks = " ".join(shlex.quote(mark(unit.name, kind)) for kind in ("reload", "restart"))
    act = " && ".join(command for _, command in steps)
    if {"start", "restart"} & {word for word, _ in steps}:
        act = "".join(f"{_tell(client)}; " for client in unit.clients) + act
    yield shell(
        f"{{ {act}; }} && systemctl is-active --quiet {process} && rm -f {marks} || "
        f"{{ systemctl --no-pager --lines=20 status {process}; exit 1; }}"
    )


def _tell(client: str) -> str:
    name, path = shlex.quote(client), shlex.quote(mark(client, "reload"))
    return f"if systemctl is-active --quiet {name}; then mkdir -p {shlex.quote(PENDING)}; : > {path}; fi"


def _states(unit: Unit) -> Probe[UnitStates]:
    return unit_states(dict.fromkeys([unit.name, unit.process]))


def plan(unit: Unit, states: UnitStates) -> list[tuple[str, str]]:
    """What is to be done, in order: a word for people and the command."""
    name, process = shlex.quote(unit.name), shlex.quote(unit.process)
    steps = []
    masked = [each for each, values in states.properties.items() if values.get("UnitFileState") == "masked"]
    if masked:
        steps.append(("unmask", f"systemctl unmask {shlex.join(masked)}"))
    if any(values.get("NeedDaemonReload") == "yes" for values in states.properties.values()):
        steps.append(("daemon-reload", "systemctl daemon-reload"))
    if not states.is_enabled(unit.name):
        steps.append(("enable", f"systemctl enable --quiet {name}"))
    if not (states.is_active(unit.name) and states.is_active(unit.process)):
        # a unit that failed too often must be forgiven before it may start again
        steps.append(
            (
                "start",
                f"systemctl reset-failed {name} {process} 2>/dev/null; systemctl start {name} {process}",
            )
        )
    # the process may run while its wrapper does not
    if states.is_active(unit.process):
        if f"{unit.name}.restart" in states.marks:
            steps.append(("restart", f"systemctl restart {process}"))
        elif f"{unit.name}.reload" in states.marks:
            steps.append(("reload", unit.reload or f"systemctl reload {process}"))
    return steps
