"""The suite of faults: its rows, its count of messages, and what it calls a broken promise."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from faults import report
from faults.__main__ import chosen
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
def test_a_final_refusal_is_a_problem_unless_it_fits(kind: str, text: str) -> None:
    assert outcome(None, None, (kind, text)).problems == [text]
    assert outcome(Row("a", "A fault", do="", fits=re.escape(text)), None, (kind, text)).problems == []


def test_the_cells_of_a_row() -> None:
    found = outcome(None, None, ("25", "451 later"), ("25", "451 later"), ("25", "TimeoutError timed out"))
    assert report.cells(found) == [
        *("A fault", "13", "1.0 s", "3.0 s", "2", "2", "0", "0"),
        "2 451, 1 no answer",
    ]
    assert len(report.cells(found)) == len(report.cells(Outcome(found.row, 12)))


def test_a_text_belongs_to_its_number() -> None:
    whole = tally.message(STRANGER, 7).as_bytes().replace(b"\n", b"\r\n")
    received = (
        b"Received: from remote.example.net (unknown [192.0.2.1])\r\n"
        b"\tby mail.example.org (Postfix) with ESMTP id 4X1abc\r\n\tfor <bob@example.org>; now\r\n"
    )
    assert tally.copy_of(7, received + whole) == Copy("4X1abc", True)
    assert tally.copy_of(7, received + whole[:-70]) == Copy("4X1abc", False)
    assert tally.copy_of(8, received + whole) == Copy("4X1abc", False)
