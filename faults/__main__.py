"""`python -m faults [PART|ROW…]`: let faults happen, print what was seen, keep it in docs/reliability.md."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from operator import methodcaller

from faults import hosts, report
from faults.hosts import Servers
from faults.row import Outcome, Row, run
from tests.support.trust import Protected
from tests.targets import engine, images, pyinfra

#: The modules of this package with rows, in the order of the page. Each has the title of its section, `PART`,
#: and its `ROWS`; some `prepare` a server, of which they get one of their own.
PARTS = ("processes", "services", "database", "disks", "host", "clock", "acme", "deploys")


@dataclass(frozen=True)
class Part:
    """A module with rows, or some of these.

    + whole: whether it has all its rows
    """

    title: str
    rows: Sequence[Row]
    prepare: Callable[[Protected], None] | None
    whole: bool


def main() -> None:
    """Run the rows that are named, or all of them; exit with 1 if a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    names = f"parts: {', '.join(PARTS)}; or names of rows, which --list prints; default: all"
    parser.add_argument("names", metavar="PART|ROW", nargs="*", help=names)
    parser.add_argument("--debian", type=int, choices=sorted(images.CODENAMES), help="on this release alone")
    parser.add_argument("--list", action="store_true", help="print the names of all rows")
    given = parser.parse_args()
    if given.list:
        print("\n".join(f"{row.name}: {row.what}" for part in chosen([]) for row in part.rows))
        return
    try:
        parts = chosen(given.names)
    except ValueError as error:
        parser.error(str(error))
    engine.ensure()
    pyinfra.PRELOADED = True
    releases = [given.debian] if given.debian else sorted(images.CODENAMES, reverse=True)
    started = time.monotonic()
    outcomes = list(run_all(releases, parts))
    print(f"{len(outcomes)} rows in {(time.monotonic() - started) / 60:.0f} minutes")
    sys.exit(any(outcome.problems for outcome in outcomes))


def run_all(releases: Sequence[int], parts: Sequence[Part]) -> Iterator[Outcome]:
    """Run one part after the other, each on all Debians at the same time; keep what was seen of each."""
    every = {part.title: part.rows for part in chosen([])}
    with ExitStack() as stack, ThreadPoolExecutor() as pool:
        runs = list(pool.map(lambda debian: Runs(stack.enter_context(hosts.servers(debian))), releases))
        for part in parts:
            outcomes = [outcome for seen in pool.map(methodcaller("of", part), runs) for outcome in seen]
            section = report.section(part.title, outcomes)
            print(section, flush=True)
            if part.whole:
                report.keep(part.title, section, every)
            yield from outcomes


def chosen(names: Sequence[str]) -> list[Part]:
    """Return the parts with the rows that are named, or all; `ValueError` if there is no such row."""
    parts = []
    unknown = {*names}
    for name in PARTS:
        module = importlib.import_module(f"faults.{name}")
        whole = not names or name in names
        rows = [row for row in module.ROWS if whole or row.name in names]
        unknown -= {name, *(row.name for row in rows)}
        if rows:
            parts.append(Part(module.PART, rows, getattr(module, "prepare", None), whole))
    if unknown:
        raise ValueError(f"no such part or row: {', '.join(sorted(unknown))}; --list prints all")
    return parts


@dataclass
class Runs:
    """The rows on one Debian, each on the server of the one before; after a problem on a fresh one."""

    servers: Servers
    server: Protected | None = None

    def of(self, part: Part) -> list[Outcome]:
        """Run the rows of a part; return what was seen of each."""
        if part.prepare:
            self.server = None
        outcomes = []
        for row in part.rows:
            began = time.monotonic()
            self.server = self.server or self._fresh(part)
            outcome = run(row, self.server, hosts.data())
            print(f"{report.line(outcome)} ({time.monotonic() - began:.0f} s)", flush=True)
            outcomes.append(outcome)
            if outcome.problems:
                self.server = None
        if part.prepare:
            self.server = None
        return outcomes

    def _fresh(self, part: Part) -> Protected:
        server = self.servers.fresh()
        if part.prepare:
            part.prepare(server)
        return server


if __name__ == "__main__":
    main()
