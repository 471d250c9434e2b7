"""The comparisons of `make bench`, and the page that it writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from jinja2 import Environment, StrictUndefined

from bench import report
from bench.kit import Kit
from bench.report import Table
from tests.support import sample_accounts


@pytest.mark.parametrize("debian", [12, 13])
def test_a_peer_renders_the_same_bytes_as_we_do(debian: int, tmp_path: Path) -> None:
    Kit.of(debian, sample_accounts.data(), tmp_path)
    values = json.loads((tmp_path / "values.json").read_text())
    jinja = Environment(undefined=StrictUndefined, keep_trailing_newline=True, trim_blocks=True)
    for file in values["files"]:
        template = (tmp_path / f"templates{file['path']}.j2").read_text()
        rendered = jinja.from_string(template).render(**values)
        assert rendered == (tmp_path / f"files{file['path']}").read_text(), file["path"]
    assert "{{ mail_message_size_limit }}" in (tmp_path / "templates/etc/postfix/main.cf.j2").read_text()


def test_a_part_replaces_its_older_figures_and_no_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(report, "RESULTS", tmp_path / "results.md")
    for part, figure in (("One", "1"), ("Two", "2"), ("One", "3")):
        report.keep(part, f"## {part}\n\n{Table('Title', ['figure'], [[figure]])}\n")
    page = (tmp_path / "results.md").read_text()
    assert [line for line in page.splitlines() if line.startswith("## ")] == ["## One", "## Two"]
    assert ("| 1 |" in page, "| 2 |" in page, "| 3 |" in page) == (False, True, True)


def test_medians_take_turns() -> None:
    called: list[str] = []
    figures = {name: iter(values) for name, values in {"a": [1.0, 9.0, 2.0], "b": [5.0, 4.0, 6.0]}.items()}

    def measure(name: str) -> float:
        called.append(name)
        return next(figures[name])

    found = report.medians({"a": lambda: measure("a"), "b": lambda: measure("b")}, runs=3)
    assert found == {"a": 2.0, "b": 5.0}
    assert called == ["a", "b"] * 3
