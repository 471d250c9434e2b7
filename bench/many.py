"""Many hosts at once: 50 that only the network keeps waiting, and 6 containers."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from bench import recorded
from bench.report import medians
from bench.runs import PEERS, Runs, inventory
from tests.targets import pyinfra
from tests.targets.shell import ROOT, docker

HOSTS, CONTAINERS = 50, 6
#: How many our deploy has, with everything that is on by default.
OPERATIONS = 13
#: Of the line to the recorded hosts, in seconds.
ROUND_TRIP = 0.05


class Line(NamedTuple):
    """How many round trips a connection takes, and how many a command."""

    connecting: float
    command: float


#: As `@ssh` was seen to need them; see the table "Nothing to change over @ssh".
LINE = Line(connecting=5, command=4)


def fake(runs: Runs) -> dict[str, float]:
    """Seconds of an unchanged run for `one` host and for `many`, and of `nothing` for each."""
    environment = {
        "PYTHONPATH": f"{ROOT}{os.pathsep}{recorded.install(runs.folder)}",
        recorded.RECORD: str(runs.folder / "record.json"),
        recorded.CONNECTING: str(LINE.connecting * ROUND_TRIP),
        recorded.COMMAND: str(LINE.command * ROUND_TRIP),
    }

    def run(names: Sequence[str], deploy: str = "deploy.py") -> float:
        return _run(runs, names, deploy, environment)

    def operations(names: Sequence[str]) -> float:
        as_many = replace(runs, data={**runs.data, "operations": OPERATIONS})
        return _run(as_many, names, nothing, environment)

    run([f"@recording/{runs.target.name}"])
    many = [f"@recorded/host{number}" for number in range(HOSTS)]
    nothing = str(PEERS / "nothing.py")
    return medians(
        {
            "one": lambda: run(many[:1]),
            "many": lambda: run(many),
            "nothing on one": lambda: run(many[:1], nothing),
            "nothing on many": lambda: run(many, nothing),
            "operations on one": lambda: operations(many[:1]),
            "operations on many": lambda: operations(many),
        }
    )


def real(runs: Runs) -> dict[str, float]:
    """Seconds of an unchanged run for `one` container and for `many`, all on this machine."""
    image = f"{runs.target.name}:clone"
    runs.target.stop()
    runs.target.commit(image)
    runs.target.start()
    clones = [replace(runs.target, name=f"{runs.target.name}-{number}") for number in range(CONTAINERS)]
    try:
        names = [f"@docker/{clone.create(image).name}" for clone in clones]
        return medians(
            {
                "one": lambda: _run(runs, names[:1], "deploy.py"),
                "many": lambda: _run(runs, names, "deploy.py"),
            }
        )
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
