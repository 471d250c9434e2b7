"""The parts of a run over `@docker`, each measured alone."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from functools import partial

from bench.report import Table, medians
from bench.runs import Runs

_PYINFRA = (
    "import pyinfra_cli.cli; from pyinfra.api.connectors import get_all_connectors; get_all_connectors()"
)
_MAILSTACK = "from mailstack import Settings, mail_server"
_PARTS = {
    "Python starts": "pass",
    "… and imports pyinfra with its connectors": _PYINFRA,
    "… and pydantic": f"{_PYINFRA}; from pydantic import BaseModel, Field, types",
    "… and mailstack": f"{_PYINFRA}; {_MAILSTACK}",
    "… and freezes all that (`gc.freeze()`)": f"{_PYINFRA}; {_MAILSTACK}; import gc; gc.freeze()",
}


def table(runs: Runs) -> Table:
    """Return the parts of an unchanged run."""
    commands = {name: [sys.executable, "-c", code] for name, code in _PARTS.items()}
    commands["one command in the container"] = ["docker", "exec", runs.target.name, "true"]
    found = medians({name: partial(_timed, command) for name, command in commands.items()})
    return Table(
        "What a run over @docker is made of",
        ("", "seconds"),
        [[name, f"{each:.2f}"] for name, each in found.items()],
    )


def _timed(argv: Sequence[str]) -> float:
    start = time.monotonic()
    subprocess.run(argv, check=True, timeout=60)
    return time.monotonic() - start
