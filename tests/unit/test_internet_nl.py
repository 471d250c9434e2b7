"""The table of internet.nl's rows: each has a test of the name that it gives."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_each_row_has_its_test() -> None:
    page = (ROOT / "docs/deliverability.md").read_text("utf-8").partition("\n## internet.nl\n")[2]
    rows = [line for line in page.partition("\n## ")[0].splitlines() if line.startswith("| ")][1:]
    named = [name for row in rows for name in re.findall(r"`(test_\w+)`", row.rpartition(" | ")[2])]
    assert len(named) >= len(rows)
    folder = ROOT / "tests/integration"
    files = [*folder.glob("internet_nl/test_*.py"), folder / "dns/test_rows.py"]
    tests = {name for file in files for name in re.findall(r"^def (test_\w+)", file.read_text("utf-8"), re.M)}
    assert sorted(named) == sorted(tests)
