"""What mailboxes take, worked out from measured figures: the table of docs/scaling.md."""

from __future__ import annotations

import pytest

from bench.size import Figures, Habits, size, table
from tests.targets.shell import ROOT

HOST = Figures(messages=100, logins=10, connection=1, idle=1024, memory=9, empty=10, row=1)
HABITS = Habits(messages=36, logins=3.6, busiest=0.1, connected=1, stored=2, used=0.5)


def test_it_is_counted_by_hand() -> None:
    """100 messages a second and 10 logins: one host each, two hosts of which half is used, so four."""
    found = size(100_000, HABITS, HOST)
    assert (found.messages, found.logins) == pytest.approx((100, 10))
    assert found.by_processor == 4
    assert found.memory == pytest.approx(100_000 / 1024)  # of 3.5 GiB on each host: 9 / 2, without 1
    assert found.by_memory == found.hosts == 28
    assert (found.mail, found.database) == pytest.approx((200, 110))


def test_a_small_server_is_one_host() -> None:
    assert (size(1, HABITS, HOST).hosts, size(10, HABITS, HOST).hosts) == (1, 1)


@pytest.mark.parametrize(
    ("habit", "figure"),
    [
        ("messages", "messages"),
        ("logins", "logins"),
        ("busiest", "by_processor"),
        ("connected", "by_memory"),
        ("stored", "mail"),
    ],
)
def test_each_habit_counts(habit: str, figure: str) -> None:
    more = HABITS._replace(**{habit: getattr(HABITS, habit) * 2})
    before, after = (getattr(size(1_000_000, each, HOST), figure) for each in (HABITS, more))
    assert after / before == pytest.approx(2, rel=0.02)


def test_what_is_not_used_costs_hosts() -> None:
    assert size(1_000_000, HABITS._replace(used=1), HOST).by_processor == 20
    assert size(1_000_000, HABITS, HOST).by_processor == 40


def test_the_documentation_has_this_table() -> None:
    text = (ROOT / "docs/scaling.md").read_text()
    assert str(table()) in text
    for value in Habits():
        assert f"| {value:g}" in text
    figures = Figures()
    for shown in (f"{figures.messages:g}\nmessages", f"{figures.logins} logins", f"{figures.idle} MiB"):
        assert shown in text
