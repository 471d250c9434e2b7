"""Services and since when they run, and what a deploy would change. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from mailstack.facts.units import WATCHERS, Units
from mailstack.operations.units import Unit, is_switched_off
from mailstack.overview.screen import Section, Trouble, counted, lasting, moment

_DEPLOY = "pyinfra INVENTORY deploy.py"


class Service(NamedTuple):
    """A unit, its state, and the time of its last start or end, if it ever had one."""

    name: str
    state: str
    since: int | None
    fault: str | None


def services(now: int, found: Iterable[tuple[Unit, Units]], failed: Sequence[str]) -> Section:
    """Return the section about services.

    + found: the units that should run, each with its state
    + failed: units of mailstack that have failed
    """
    states = [_service(unit, states) for unit, states in found]
    troubles = [
        Trouble(f"{each.name}: {each.fault}", _advice(each.name)) for each in states if each.fault is not None
    ]
    known = {each.name for each in states}
    for name in (each.removesuffix(".service") for each in failed):
        if name not in known:
            troubles.append(Trouble(f"{name} has failed", _again(name)))
    width = max((len(each.name) for each in states), default=0)
    lines = [
        f"{each.name:{width}}  {each.state:8}"
        + (f"  since {moment(each.since)} ({lasting(now - each.since)})" if each.since else "")
        for each in states
    ]
    data = [{**each._asdict(), "since": each.since and f"{moment(each.since, 'T')}Z"} for each in states]
    return Section("services", lines, data, troubles)


def _service(unit: Unit, states: Units) -> Service:
    properties = states.properties.get(unit.process, {})
    active = states.is_active(unit.process)
    stamp = properties.get("ActiveEnterTimestamp" if active else "ActiveExitTimestamp", "").removeprefix("@")
    since = int(stamp) if stamp.isdigit() and int(stamp) else None
    if is_switched_off(unit, states):
        return Service(unit.name, "masked", since, None)
    if active:
        fault = states.fault(unit.process, unit.program, unit.unit_file, unit.listens)
        return Service(unit.name, "waits" if unit.process.endswith(WATCHERS) else "runs", since, fault)
    state = properties.get("ActiveState", "missing")
    result = properties.get("Result", "")
    why = f" ({result})" if result not in ("", "success") else ""
    return Service(unit.name, state, since, f"it does not run: {state}{why}")


def _advice(name: str) -> str:
    return f"`journalctl -u {name}` on the host says why; a deploy starts it: {_DEPLOY}"


def _again(name: str) -> str:
    """Return what to do about a unit that no deploy starts: a timer or another unit does."""
    return (
        f"`journalctl -u {name}` on the host says why;"
        f" `systemctl reset-failed {name}; systemctl start {name}` tries again at once"
    )


def deploy(refusals: Sequence[str], changes: Sequence[str], unknown: str = "") -> Section:
    """Return the section about what a deploy would change.

    + refusals: reasons for which it would be refused
    + unknown: the reason if it is not known
    """
    data = {"changes": [*changes], "refused": [*refusals], "unknown": unknown or None}
    if unknown:
        return Section("deploy", [f"not known: {unknown}"], data)
    troubles = [
        Trouble(f"a deploy is refused: {each}", "Change the setting or the host.") for each in refusals
    ]
    if changes:
        troubles.append(
            Trouble(
                f"the host differs from the inventory: {counted(len(changes), 'change')}",
                f"{_DEPLOY} --dry --diff shows them, and without these words makes them",
            )
        )
    shown = [f"would make {counted(len(changes), 'change')}:", *(f"  {each}" for each in changes[:10])]
    if len(changes) > 10:
        shown.append(f"  and {len(changes) - 10} more")
    return Section("deploy", shown if changes else ["would change nothing"], data, troubles)
