"""Quoting for SQL, which is also tested on a server with the same hostile texts."""

from __future__ import annotations

import pytest

from mailstack.engines.postgresql.quoting import identifier, literal


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, "NULL"),
        (True, "true"),
        (5, "5"),
        ("plain", "'plain'"),
        ("it's", "'it''s'"),
        ("\\'; DROP TABLE x; --", "E'\\\\''; DROP TABLE x; --'"),
        ("a\\", "E'a\\\\'"),
    ],
)
def test_literal(value: str | int | bool | None, written: str) -> None:
    assert literal(value) == written


@pytest.mark.parametrize("value", ["a\0b", "\udc80"])
def test_text_that_can_not_be_stored_is_refused(value: str) -> None:
    with pytest.raises(ValueError):
        literal(value)


def test_identifier() -> None:
    assert identifier('we"ird name') == '"we""ird name"'
    for name in ("", "x" * 64, "a$b", "a\0b"):
        with pytest.raises(ValueError):
            identifier(name)
