"""The SQL files of a schema, and the names of differences."""

from __future__ import annotations

import hashlib

import pytest

from mailstack.engines.postgresql.schema import FILES, Schema

SCHEMA = Schema("mailadmin", "maillookup", "mailupgrade")


@pytest.mark.parametrize("name", ["objects.sql", *FILES.parts()])
def test_every_placeholder_is_filled_in(name: str) -> None:
    assert "{owner" not in SCHEMA.render(name) and "{lookup" not in SCHEMA.render(name)


def test_other_roles_are_another_schema() -> None:
    """A renamed lookup role must get its grants."""
    state = {"applied": {}, "recorded": 0, "drift": []}
    assert SCHEMA.differences(None) == SCHEMA.differences(state) == list(FILES.parts())
    assert Schema("mailadmin", "other", "mailupgrade").script() != SCHEMA.script()


def test_another_mail_driver_is_a_difference() -> None:
    state = {"applied": SCHEMA.sums(), "recorded": 57, "drift": []}
    assert SCHEMA._replace(mail_driver="maildir").differences(state) == ["tables.sql"]
    assert SCHEMA.differences(state) == []


def test_a_lost_table_is_named_without_its_parts() -> None:
    applied = {name: hashlib.sha256(SCHEMA.render(name).encode()).hexdigest() for name in FILES.parts()}
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


def test_drift_is_named_beside_files_that_are_outdated() -> None:
    """A database of an older version with a trigger that was changed by hand."""
    applied = {name: hashlib.sha256(SCHEMA.render(name).encode()).hexdigest() for name in FILES.parts()}
    drift = ["trigger mailstack_fold on mail_users"]
    state = {"applied": applied | {"tables.sql": "of an older version"}, "recorded": 57, "drift": drift}
    assert SCHEMA.differences(state) == ["tables.sql", *drift]
    assert SCHEMA.differences({**state, "applied": {}}) == list(FILES.parts()), "a database of nobody's"


def test_another_search_path_speaks_for_the_definitions_that_it_shortens() -> None:
    applied = {name: hashlib.sha256(SCHEMA.render(name).encode()).hexdigest() for name in FILES.parts()}
    shortened = [
        "constraint mail_users_email on mail_users",
        "index a on mail_alias",
        "trigger b on mail_users",
    ]
    drift = ["column mail_alias.active", *shortened, "search_path of database"]
    state = {"applied": applied, "recorded": 57, "drift": drift}
    assert SCHEMA.differences(state) == ["column mail_alias.active", "search_path of database"]
    assert SCHEMA.differences({**state, "drift": shortened}) == shortened
