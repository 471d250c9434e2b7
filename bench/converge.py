"""How long pyinfra takes to converge a host, and what of it is mailstack's.

Every figure is measured in one run on the same kind of target, over `@docker`; medians, where there are
several. Ratios within a run count: single times tell as much of the machine as of the code.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from bench.report import Table, median
from tests.integration import crowd, world
from tests.targets import images, networks
from tests.targets.containers import Target

PART = "Converge"


def measure() -> list[Table]:
    """Each Debian release in a row."""
    rows = [[str(debian), *(f"{seconds:.2f} s" for seconds in _times(debian))] for debian in images.CODENAMES]
    columns = [
        "Debian",
        "first deploy",
        "nothing to change",
        "one setting changed",
        "empty pyinfra run",
        f"{crowd.USERS} users and {crowd.ALIASES} aliases move in",
        "nothing to change with them",
    ]
    return [Table("Runs over @docker", columns, rows)]


def _times(debian: int) -> list[float]:
    """What the columns of the table say, in seconds; medians where a run can be repeated."""
    target = Target(f"{networks.TEST_NAME}-bench-{debian}", debian, networks.test(debian))
    target.create()
    try:
        with tempfile.NamedTemporaryFile(suffix=".py", prefix="empty-") as empty:

            def run(deploy: str, **settings: object) -> float:
                start = time.monotonic()
                target.pyinfra("-y", deploy, data=world.data(**settings), timeout=900).check()
                return time.monotonic() - start

            first = run("deploy.py")
            limits = iter(range(10_000_000, 20_000_000, 1_000_000))
            people = crowd.data()
            return [
                first,
                median(lambda: run("deploy.py")),
                median(lambda: run("deploy.py", mail_message_size_limit=next(limits))),
                median(lambda: run(str(Path(empty.name)))),
                run("deploy.py", **people),
                median(lambda: run("deploy.py", **people)),
            ]
    finally:
        target.remove()
