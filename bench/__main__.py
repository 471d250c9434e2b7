"""`python -m bench [PART…]`: measure, print the tables, and keep them in results.md and history/."""

from __future__ import annotations

import argparse
import importlib
import os
from collections.abc import Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING

from bench import bars, history, report
from tests.targets import engine

if TYPE_CHECKING:
    from bench.report import Table

#: The modules of this package that measure something, in the order of the page. Each has the title of its
#: section, `PART`, and `measure() -> list[Table]`.
PARTS = (
    "many",
    "converge",
    "traffic",
    "filtering",
    "logins",
    "memory",
    "growth",
    "looks",
    "mailboxes",
    "reading",
    "hardening",
    "backup",
)


def main() -> None:
    """Run the parts that are named, or all of them."""
    parts = [name for name in PARTS if find_spec(f"bench.{name}")]
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("parts", metavar="PART", nargs="*", help=f"{', '.join(parts)}; default: all")
    chosen = parser.parse_args().parts or parts
    if unknown := sorted({*chosen} - {*parts}):
        parser.error(f"no such part: {', '.join(unknown)}; there are {', '.join(parts)}")
    engine.ensure()
    # Python keeps what it compiles of an installed package, but where this tells it not to
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    for name in chosen:
        module = importlib.import_module(f"bench.{name}")
        measure: Callable[[], list[Table]] = module.measure
        tables, conditions = measure(), report.conditions()
        text = report.section(module.PART, conditions, tables)
        print(text, flush=True)
        report.keep(module.PART, text)
        history.Run.of(name, conditions, tables).write()
        if find_spec("matplotlib"):
            history.draw()
            bars.draw()


if __name__ == "__main__":
    main()
