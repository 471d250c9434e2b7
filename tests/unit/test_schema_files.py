"""Numbered files that were released are never edited."""

from __future__ import annotations

import hashlib

import pytest

from mailstack.engines.postgresql.schema import FILES, Schema

SCHEMA = Schema("mailadmin", "maillookup", "mailupgrade")


def released(text: str) -> dict[str, str]:
    """Hashes by name, from lines as sha256sum(1) prints them."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return {name: sha256 for sha256, name in (line.split() for line in lines)}


def edited(pinned: dict[str, str]) -> list[str]:
    """The files that are not as they were released."""
    return [
        name
        for name, sha256 in pinned.items()
        if name not in FILES.numbered() or hashlib.sha256(FILES.text_of(name).encode()).hexdigest() != sha256
    ]


def test_no_released_file_was_edited() -> None:
    assert edited(released(FILES.text_of("RELEASED"))) == []


def test_an_edited_file_is_found() -> None:
    pinned = released(f"# comment\n{'0' * 64}  001_mail.sql\n{'0' * 64}  000_gone.sql\n")
    assert edited(pinned) == ["001_mail.sql", "000_gone.sql"]


def test_numbers_are_unique() -> None:
    numbers = [name[:3] for name in FILES.numbered()]
    assert sorted(set(numbers)) == numbers


@pytest.mark.parametrize("name", ["begin.sql", "objects.sql", *FILES.numbered()])
def test_every_placeholder_is_filled_in(name: str) -> None:
    assert "{owner" not in SCHEMA.render(name) and "{lookup" not in SCHEMA.render(name)


def test_other_roles_are_another_schema() -> None:
    """So that a renamed lookup role gets its grants."""
    state = {"applied": {}, "recorded": 0, "drift": []}
    assert SCHEMA.differences(None) == SCHEMA.differences(state) == list(FILES.numbered())
    assert Schema("mailadmin", "other", "mailupgrade").script() != SCHEMA.script()


def test_a_table_that_is_lost_speaks_for_what_was_in_it() -> None:
    applied = {name: hashlib.sha256(SCHEMA.render(name).encode()).hexdigest() for name in FILES.numbered()}
    drift = [
        "column mail_alias.active",
        "grant SELECT on table mail_alias to maillookup",
        "index mailstack_alias_domain on mail_alias",
        "owner of table mail_alias",
        "table mail_alias",
        "trigger mailstack_fold on mail_users",
    ]
    state = {"applied": applied, "recorded": 57, "drift": drift}
    assert SCHEMA.differences(state) == [
        "table mail_alias",
        "trigger mailstack_fold on mail_users",
    ]
    assert SCHEMA.differences({**state, "recorded": 0}) == ["table mailstack_objects"]
