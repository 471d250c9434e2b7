"""The suite of faults: its rows, its count of messages, and what it calls a broken promise."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Barrier

import pytest

from faults import hosts, report, resources
from faults.__main__ import Part, Runs, chosen, run_all
from faults.resources import Growth, Process
from faults.row import Outcome, Row
from tests.support import tally
from tests.support.numbered_traffic import Answer
from tests.support.sample_accounts import STRANGER
from tests.support.tally import DELIVERED_AGAIN, SENT_AGAIN, Copy, Tally

GOOD = {1: (Copy("A1", True),), 2: (Copy("A2", True),)}


def outcome(row: Row | None = None, counted: Tally | None = None, *refusals: tuple[str, str]) -> Outcome:
    """Return the judged outcome of a row, by default of one without any trouble."""
    answers = [Answer(0, 0, kind, text) for kind, text in refusals]
    counted = counted or Tally(frozenset({1, 2}), GOOD)
    found = Outcome(row or Row("a", "A fault", do=""), 13, counted, {"25": 1, "587": 2, "993": 3}, answers)
    found.judge()
    return found


def test_rows_have_names_of_their_own() -> None:
    names = Counter(row.name for part in chosen([]) for row in part.rows)
    assert set(names.values()) == {1}


def test_a_row_or_a_part_is_chosen_by_name() -> None:
    (part,) = chosen(["postfix-killed"])
    assert ([row.name for row in part.rows], part.whole) == (["postfix-killed"], False)
    (part,) = chosen(["database"])
    assert part.whole
    with pytest.raises(ValueError, match="no such part or row: databases"):
        chosen(["databases", "database"])


def test_nothing_is_wrong_with_mail_that_all_came_once() -> None:
    assert (
        outcome(None, None, ("25", "451 later"), ("25", "ConnectionRefusedError"), ("587", "454")).problems
        == []
    )


@pytest.mark.parametrize(
    ("copies", "problem"),
    [
        ({1: GOOD[1]}, "lost: [2]"),
        ({**GOOD, 2: (Copy("A2", False),)}, "damaged: [2]"),
        ({**GOOD, 2: (Copy("A2", True), Copy("A3", True))}, "doubled without a reason: {2: 'sent again'}"),
    ],
)
def test_mail_that_did_not_come_once_is_a_problem(copies: dict[int, tuple[Copy, ...]], problem: str) -> None:
    assert outcome(None, Tally(frozenset({1, 2}), copies)).problems == [problem]


def test_mail_in_the_queue_is_late_and_not_lost() -> None:
    found = outcome(None, Tally(frozenset({1, 2}), {1: GOOD[1]}, frozenset({2})))
    assert found.tally.lost == []
    assert [problem for problem in found.problems if "in the queue" in problem]


def test_doubles_have_reasons() -> None:
    copies = {1: (Copy("A1", True), Copy("A1", True)), 2: (Copy("A2", True), Copy("A3", True))}
    counted = Tally(frozenset({1, 2}), copies)
    assert counted.doubled == {1: DELIVERED_AGAIN, 2: SENT_AGAIN}
    assert outcome(Row("a", "A fault", do="", doubles=(DELIVERED_AGAIN, SENT_AGAIN)), counted).problems == []
    (problem,) = outcome(Row("a", "A fault", do="", doubles=(SENT_AGAIN,)), counted).problems
    assert "{1: 'delivered again'}" in problem


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("25", "550 5.1.1 unknown"),
        ("587", "535 5.7.8 Error: authentication failed"),
        ("993", "error b'[AUTHENTICATIONFAILED] Authentication failed.'"),
    ],
)
def test_a_final_refusal_is_a_problem(kind: str, text: str) -> None:
    assert outcome(None, None, (kind, text)).problems == [text]


STOPPED = "535 5.7.8 Error: authentication failed: (reason unavailable)"


@pytest.mark.parametrize(
    ("imap", "stops", "debian", "fits"),
    [
        (["good"], "dovecot", 13, True),
        (["good"], "database", 12, True),
        (["good"], "database", 13, False),
        (["good"], "", 12, False),
        (["good", "no answer"], "dovecot", 13, False),
        ([], "dovecot", 13, False),
    ],
)
def test_a_login_that_began_before_dovecot_stopped(
    imap: list[str], stops: str, debian: int, fits: bool
) -> None:
    row = Row("a", "A fault", do="", stops=stops)
    answers = [Answer(at, at + 0.5, "993", text) for at, text in enumerate(imap)]
    login = Answer(len(imap), 9, "587", STOPPED)
    found = Outcome(
        row, debian, Tally(frozenset(), {}), answers=[*answers, login, Answer(9, 9, "993", "good")]
    )
    found.judge()
    assert found.problems == ([] if fits else [STOPPED])


ROWS = {part.title: part.rows for part in chosen([])}


def test_the_page_is_that_of_the_suite() -> None:
    """Its head, what it says was not run, and rows that there are."""
    page = report.PAGE.read_text()
    head, *sections = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    assert head == report.HEAD + report.not_run(page, ROWS)
    for section in sections:
        title, *lines = section.removeprefix("## ").split("\n")
        shown = [line.split(" | ")[0].removeprefix("| ") for line in lines if line.startswith("| ")][2:]
        assert set(shown) <= {row.what for row in ROWS[title]}


def test_the_page_says_what_was_not_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "PAGE", tmp_path / "page.md")
    rows = {"A": [Row("a", "One", do=""), Row("b", "Two", do="")], "B": [Row("c", "Three", do="")]}
    seen = [Outcome(rows["A"][0], 13), Outcome(rows["A"][0], 12), Outcome(rows["A"][1], 13)]
    for part, outcomes in {"A": seen, "B": [Outcome(rows["B"][0], 12)]}.items():
        report.keep(part, report.section(part, outcomes), rows)
    page = report.PAGE.read_text()
    assert "\n- *A*. Debian 12: 1 of 2 rows run.\n- *B*. Debian 13: not run.\n\n## A\n" in page
    report.keep("B", report.section("B", [Outcome(rows["B"][0], debian) for debian in (12, 13)]), rows)
    assert "*B*." not in report.PAGE.read_text()
    report.keep("A", report.section("A", seen), dict(reversed(rows.items())))
    assert re.findall("^## (.)", report.PAGE.read_text(), re.MULTILINE) == ["B", "A"]


def test_the_cells_of_a_row() -> None:
    found = outcome(None, None, ("25", "451 later"), ("25", "451 later"), ("25", "TimeoutError timed out"))
    assert report.cells(found) == [
        *("A fault", "13", "1.0 s", "3.0 s", "2", "2", "0", "0"),
        "2 451, 1 no answer",
        "0 files, 0 MiB",
    ]
    assert len(report.cells(found)) == len(report.cells(Outcome(found.row, 12)))


def test_only_processes_that_lived_all_the_while_have_grown() -> None:
    before = {"1 0": Process("master", 20, 2), "2 5": Process("qmgr", 10, 4), "3 5": Process("old", 1, 1)}
    after = {"1 0": Process("master", 23, 1), "2 5": Process("qmgr", 111, 4), "3 9": Process("new", 999, 999)}
    found = resources.growth(before, after)
    assert (found.files, found.memory) == (104, -1)
    assert found.leaks == ("qmgr grew from 10 to 111 open files, from 4 to 4 MiB",)
    assert resources.growth(before, {"1 0": Process("master", 20, 259)}).leaks


def test_a_leak_is_a_problem() -> None:
    found = outcome()
    found.grown = Growth(leaks=("qmgr grew",))
    found.judge()
    assert found.problems == ["qmgr grew"]


class Fresh:
    """Servers that are only numbers."""

    def __init__(self) -> None:
        self.made = 0

    def fresh(self) -> int:
        """Return the next."""
        self.made += 1
        return self.made


def test_a_server_is_fresh_after_a_problem_and_for_a_part_that_prepares_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def run(row: Row, server: int, _: object) -> Outcome:
        seen.append(f"{row.name}{server}")
        return Outcome(row, 13, problems=["lost"] if row.name == "bad" else [])

    monkeypatch.setattr("faults.__main__.run", run)
    monkeypatch.setattr(hosts, "data", dict)
    seen: list[str] = []
    good, bad = Row("good", "", do=""), Row("bad", "", do="")
    runs = Runs(Fresh())  # type: ignore[arg-type]
    prepare = lambda server: seen.append(f"prepared{server}")  # noqa: E731
    for part in (
        Part("A", [good, bad, good], None, True),
        Part("B", [good], None, True),
        Part("C", [good, bad], prepare, True),
        Part("D", [good], None, True),
    ):
        assert [each.row for each in runs.of(part)] == part.rows
    assert seen == ["good1", "bad1", "good2", "good2", "prepared3", "good3", "bad3", "good4"]


def test_a_part_runs_on_both_debians_at_the_same_time_and_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def servers(_: int) -> Iterator[Fresh]:
        yield Fresh()
        closed.append("removed")

    def run(row: Row, _: int, __: object) -> Outcome:
        both.wait()
        return Outcome(row, 13)

    closed: list[str] = []
    both = Barrier(2, timeout=60)
    monkeypatch.setattr(report, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr("faults.__main__.run", run)
    monkeypatch.setattr(hosts, "servers", servers)
    row = Row("ca-away", "The CA is away", do="")
    whole, single = Part("The CA is away", [row], None, True), Part("The clock jumps", [row], None, False)
    assert len(list(run_all([13, 12], [whole, single]))) == 4
    assert closed == ["removed"] * 2
    assert re.findall("^## (.*)", report.PAGE.read_text(), re.MULTILINE) == ["The CA is away"]


def test_a_text_belongs_to_its_number() -> None:
    whole = tally.message(STRANGER, 7).as_bytes().replace(b"\n", b"\r\n")
    received = (
        b"Received: from remote.example.net (unknown [192.0.2.1])\r\n"
        b"\tby mail.example.org (Postfix) with ESMTP id 4X1abc\r\n\tfor <bob@example.org>; now\r\n"
    )
    assert tally.copy_of(7, received + whole) == Copy("4X1abc", True)
    assert tally.copy_of(7, received + whole[:-70]) == Copy("4X1abc", False)
    assert tally.copy_of(8, received + whole) == Copy("4X1abc", False)
