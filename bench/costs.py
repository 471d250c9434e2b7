"""What a run over `@docker` is made of, each part measured by itself."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence

from bench.report import Table, medians
from bench.runs import Runs

_PARTS = {
    "Python starts": "pass",
    "… and imports pyinfra's command line": "import pyinfra_cli.cli",
    "… and connectors": "import pyinfra_cli.cli; from pyinfra.api.connectors import get_all_connectors as a; a()",
    "… and mailstack": (
        "import pyinfra_cli.cli; from pyinfra.api.connectors import get_all_connectors as a; a();"
        " from mailstack import Settings, mail_server"
    ),
}


def table(runs: Runs) -> Table:
    """The parts of an unchanged run."""
    ways = {name: [sys.executable, "-c", code] for name, code in _PARTS.items()}
    ways["one command in the container"] = ["docker", "exec", runs.target.name, "true"]
    found = medians({name: lambda argv=argv: _timed(argv) for name, argv in ways.items()})
    return Table(
        "What a run is made of", ("", "seconds"), [[name, f"{each:.2f}"] for name, each in found.items()]
    )


def _timed(argv: Sequence[str]) -> float:
    start = time.monotonic()
    subprocess.run(argv, check=True, timeout=60)
    return time.monotonic() - start
