"""The comparisons of `make bench`, and the page that it writes."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from jinja2 import Environment, StrictUndefined

from bench import groups, history, report, servers
from bench.history import Point, Run
from bench.kit import Kit
from bench.report import GOAL_COLUMNS, Table, goal
from tests.support import sample_accounts
from tests.targets.containers import Target


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


def test_a_run_is_in_the_history_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "HISTORY", tmp_path / "history")
    run = Run.of("traffic", "a machine", [Table("Title", ["figure"], [["1.2 ms"]])])
    later = replace(run, at=run.at + timedelta(seconds=1))
    paths = [later.write(), run.write()]
    assert len(set(paths)) == 2
    assert history.read() == {"traffic": [run, later]}


def test_the_figures_of_a_goal_in_the_order_of_the_runs() -> None:
    tables = [
        Table("Goals", GOAL_COLUMNS, [goal("50 hosts", "at most 2 times", "3.22 times", False)]),
        Table("Figures", ["what", "seconds"], [["50 hosts", "3.22"]]),
    ]
    first = Run.of("many", "a machine", tables)
    later = replace(first, at=first.at + timedelta(days=1))
    assert history.points([later, first]) == {
        "Goals: 50 hosts, at most … times": [Point(first.at, 3.22, 2.0), Point(later.at, 3.22, 2.0)]
    }


class Host:
    """A host with two processes of Postfix's unit, and one of no unit."""

    def exec(self, command: str) -> SimpleNamespace:
        if "/proc/stat" in command:
            return SimpleNamespace(stdout="cpu  1000 200 3000 99999 888 40 60 7 0 0\n")
        lines = [
            f"/proc/{process}/{file}:{text}"
            for process, (times, cgroup) in {
                1: ("100 50 20 10", "/system.slice/system-postfix.slice/postfix@-.service"),
                2: ("300 70 0 0", "/system.slice/system-postfix.slice/postfix@-.service"),
                3: ("900 900 0 0", "/user.slice/session-1.scope"),
            }.items()
            for file, text in {
                "stat": f"{process} (a name) x) S 1 1 1 0 -1 4194560 1 2 3 4 {times} 20 0 1 0",
                "cgroup": f"1:name=systemd:{cgroup}",
            }.items()
        ]
        return SimpleNamespace(stdout="\n".join(lines))


def test_the_processor_time_of_units_of_the_kernel_and_of_the_machine() -> None:
    host = cast(Target, Host())
    assert servers.processor_time(host) == pytest.approx({"postfix": 5.5, "": 18.0})
    assert servers.kernel_time(host) == pytest.approx(1.3)
    # without what it was idle and waited for its disks, with interrupts
    assert servers.machine_time(host) == pytest.approx(43.0)


def test_medians_take_turns() -> None:
    called: list[str] = []
    figures = {name: iter(values) for name, values in {"a": [1.0, 9.0, 2.0], "b": [5.0, 4.0, 6.0]}.items()}

    def measure(name: str) -> float:
        called.append(name)
        return next(figures[name])

    found = report.medians({"a": lambda: measure("a"), "b": lambda: measure("b")}, runs=3)
    assert found == {"a": 2.0, "b": 5.0}
    assert called == ["a", "b"] * 3


def test_the_hosts_of_a_server_can_work_together() -> None:
    """The rules of the inventory refuse others."""
    (_, *seconds), _ = groups.table((4, 9)).rows
    assert all(float(each) > 0 for each in seconds)
    assert {node.groups for node in groups.nodes(9)} == {("db",), ("mx", "proxy"), ("imap",)}
