"""An unchanged run, its parts, and the same for many hosts.

These are recorded ones, which only add network delay, and 6 containers.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from bench import costs, groups, recorded
from bench.fleet import DEBIAN, fleet
from bench.report import GOAL_COLUMNS, RUNS, Table, goal, medians
from bench.runs import PEERS, Runs, inventory
from tests.targets import pyinfra
from tests.targets.shell import ROOT, docker

PART = "Nothing to change"
HOSTS = (1, 5, 50, 200)
#: With so many, a run may take at most so many times as long as with one.
MOST_TIMES = {50: 2, 200: 3}
CONTAINERS = 6
#: The number of mailstack's operations with default settings.
OPERATIONS = 6
OURS, EMPTY, IDLE = "mailstack", "pyinfra's empty run", f"{OPERATIONS} operations that do nothing"
#: Of the line to the recorded hosts, in seconds.
ROUND_TRIP = 0.05


class Line(NamedTuple):
    """The number of round trips of a connection, and of a command."""

    connecting: float
    command: float


#: As `@ssh` was seen to need them; see the table "Nothing to change over @ssh".
LINE = Line(connecting=5, command=4)


def measure() -> list[Table]:
    """Measure an unchanged run over `@docker`, and runs for many hosts."""
    with fleet() as targets:
        runs = targets.bare("ours")
        runs.ours()
        near = medians({OURS: runs.ours, EMPTY: runs.nothing})
        parts, found, containers = costs.table(runs), fake(runs), real(runs)
    one, *_, most = HOSTS
    unchanged = near[OURS] / near[EMPTY]
    ratios = {(way, hosts): found[way, hosts] / found[way, one] for way, hosts in found}
    what = "one host, over @docker"
    goals = [
        goal(what, "at most 1.3 times the empty run", f"{unchanged:.2f} times", unchanged <= 1.3),
        *(
            goal(f"{hosts} hosts", f"at most {times} times one host", f"{ratio:.2f} times", ratio <= times)
            for hosts, times in MOST_TIMES.items()
            for ratio in [ratios[OURS, hosts]]
        ),
    ]
    rows = [
        [way, *(f"{found[way, hosts]:.2f}" for hosts in HOSTS), f"{ratios[way, most]:.2f}"]
        for way in (OURS, EMPTY, IDLE)
    ]
    notes = (
        f"Seconds, for recorded hosts: one answers what a target answered, after {LINE.connecting} round "
        f"trips of {ROUND_TRIP * 1000:.0f} ms for the connection and {LINE.command} for each command. "
        f"{CONTAINERS} containers on this machine took {containers[CONTAINERS]:.2f} s, where one took "
        f"{containers[1]:.2f} s."
    )
    columns = ("by", *(f"hosts: {hosts}" for hosts in HOSTS), f"{most} to {one}")
    medians_of = (
        f"Debian {DEBIAN}. Medians of {RUNS}, taken in turns: {near[OURS]:.2f} s, {near[EMPTY]:.2f} s."
    )
    return [
        Table("Goals of unchanged runs", GOAL_COLUMNS, goals, medians_of),
        parts,
        Table("Many hosts", columns, rows, notes),
        groups.table(HOSTS[2:]),
    ]


def fake(runs: Runs) -> dict[tuple[str, int], float]:
    """Return the seconds of an unchanged run, an empty one, and one with empty operations, by hosts."""
    environment = {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{recorded.install(runs.folder)}",
        recorded.RECORD: str(runs.folder / "record.json"),
        recorded.CONNECTING: str(LINE.connecting * ROUND_TRIP),
        recorded.COMMAND: str(LINE.command * ROUND_TRIP),
    }
    as_many = replace(runs, data={**runs.data, "operations": OPERATIONS})
    nothing = str(PEERS / "nothing.py")
    ways = {OURS: (runs, "deploy.py"), EMPTY: (runs, nothing), IDLE: (as_many, nothing)}
    _run(runs, [f"@recording/{runs.target.name}"], "deploy.py", environment)
    many = [f"@recorded/host{number}" for number in range(max(HOSTS))]
    return medians(
        {
            (way, hosts): partial(_run, of, many[:hosts], deploy, environment)
            for way, (of, deploy) in ways.items()
            for hosts in HOSTS
        }
    )


def real(runs: Runs) -> dict[int, float]:
    """Return the seconds of an unchanged run for one container and for all, on this machine."""
    image = f"{runs.target.name}:clone"
    runs.target.stop()
    runs.target.commit(image)
    runs.target.start()
    clones = [replace(runs.target, name=f"{runs.target.name}-{number}") for number in range(CONTAINERS)]
    try:
        names = [f"@docker/{clone.create(image).name}" for clone in clones]
        return medians({hosts: partial(_run, runs, names[:hosts], "deploy.py") for hosts in (1, CONTAINERS)})
    finally:
        for clone in clones:
            clone.remove()
        docker("rmi", image, check=False)


def _run(
    runs: Runs, names: Sequence[str], deploy: str, environment: Mapping[str, str] | None = None
) -> float:
    path = inventory(runs.folder / "many.py", [(name, runs.data) for name in names])
    start = time.monotonic()
    pyinfra.pyinfra(path, "-y", deploy, env=environment).check()
    return time.monotonic() - start
