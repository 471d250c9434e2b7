"""`python -m faults [PART|ROW…]`: let faults happen, print what was seen, keep it in docs/reliability.md."""

from __future__ import annotations

import argparse
import importlib
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from faults import hosts, report
from faults.hosts import Servers
from faults.row import Outcome, Row, run
from tests.support.trust import Protected
from tests.targets import engine, images, pyinfra

#: The modules of this package with rows, in the order of the page. Each has the title of its section, `PART`,
#: and its `ROWS`; some `prepare` a server, of which they get one of their own.
PARTS = ("processes", "services", "database", "disks", "host", "deploys")


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
    started = time.monotonic()
    releases = [given.debian] if given.debian else sorted(images.CODENAMES, reverse=True)
    outcomes = [outcome for debian in releases for outcome in on(debian, parts)]
    every = {part.title: part.rows for part in chosen([])}
    for part in parts:
        section = report.section(part.title, [each for each in outcomes if each.row in part.rows])
        print(section, flush=True)
        if part.whole:
            report.keep(part.title, section, every)
    print(f"{len(outcomes)} rows in {(time.monotonic() - started) / 60:.0f} minutes")
    sys.exit(any(outcome.problems for outcome in outcomes))


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


def on(debian: int, parts: Sequence[Part]) -> list[Outcome]:
    """Run the rows on one Debian; return what was seen of each."""
    with hosts.servers(debian) as servers:
        outcomes: list[Outcome] = []
        server: Protected | None = None
        for part in parts:
            if part.prepare:
                server = None
            for row in part.rows:
                server = server or fresh(servers, part)
                began = time.monotonic()
                outcome = run(row, server, hosts.data())
                outcomes.append(outcome)
                print(report.line(outcome), f"({time.monotonic() - began:.0f} s)", flush=True)
                if outcome.problems:
                    server = None
            if part.prepare:
                server = None
        return outcomes


def fresh(servers: Servers, part: Part) -> Protected:
    """Return a server for the rows of a part."""
    server = servers.fresh()
    if part.prepare:
        part.prepare(server)
    return server


if __name__ == "__main__":
    main()
