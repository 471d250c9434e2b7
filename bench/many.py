"""Many hosts at once: up to 50 recorded ones that only add network delay, and 6 containers."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

from bench import recorded
from bench.report import medians
from bench.runs import PEERS, Runs, inventory
from tests.targets import pyinfra
from tests.targets.shell import ROOT, docker

HOSTS = (1, 5, 50)
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
