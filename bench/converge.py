"""`python -m bench.converge`: how long pyinfra takes to converge a host, and what of it is mailstack's.

Every figure is measured in one run on the same kind of target, over `@docker`; medians, where there are
several. Ratios within a run count: single times tell as much of the machine as of the code.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.integration import crowd, world
from tests.targets import engine, images, networks
from tests.targets.containers import Target
from tests.targets.shell import docker

_RUNS = 5


def main() -> None:
    """Measure each Debian release and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench.converge", description=__doc__)
    parser.add_argument("--debian", type=int, choices=sorted(images.CODENAMES), action="append")
    releases = parser.parse_args().debian or sorted(images.CODENAMES)
    engine.ensure()
    print(
        "| Debian | first deploy | nothing to change | one setting changed | empty pyinfra run "
        f"| {crowd.USERS} users and {crowd.ALIASES} aliases move in | nothing to change with them |"
    )
    print("|---|---|---|---|---|---|---|")
    for debian in releases:
        times = (f"{seconds:.2f} s" for seconds in measure(debian))
        print(f"| {debian} | {' | '.join(times)} |", flush=True)


def measure(debian: int) -> list[float]:
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
                _median(lambda: run("deploy.py")),
                _median(lambda: run("deploy.py", mail_message_size_limit=next(limits))),
                _median(lambda: run(str(Path(empty.name)))),
                run("deploy.py", **people),
                _median(lambda: run("deploy.py", **people)),
            ]
    finally:
        target.remove()
        # the tests' workers divide its range between them
        docker("network", "rm", target.network.name, check=False)


def _median(measured: Callable[[], float]) -> float:
    return statistics.median(measured() for _ in range(_RUNS))


if __name__ == "__main__":
    main()
