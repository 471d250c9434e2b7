"""Tables and text for a terminal."""

from __future__ import annotations

from mailstack.text import table


def test_a_table() -> None:
    assert table(("a", "empty", "c"), [("1", "", "long"), ("22", "", "x\x1b")]) == "a   c\n1   long\n22  x?\n"


def test_a_table_without_rows() -> None:
    assert table(("a", "b"), []) == ""
