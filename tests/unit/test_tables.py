"""The tables as data: their references exist, and every engine's SQL contains all of it."""

from __future__ import annotations

from typing import Any

import pytest

from mailstack.accounts.rows import settable
from mailstack.accounts.wanted import Accounts
from mailstack.engines.mariadb import ddl as mariadb_ddl
from mailstack.engines.postgresql import ddl as postgresql_ddl
from mailstack.engines.table import IsAddress, Matches, Table
from mailstack.engines.tables import TABLES
from mailstack.settings import AliasDomain, Domain, RelayDomain, User

BY_NAME = {table.name: table for table in TABLES}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_references_exist(table: Table) -> None:
    columns = [column.name for column in table.columns]
    assert len(set(columns)) == len(columns)
    named = [*table.identity, *(column.domain_of for column in table.columns if column.domain_of)]
    named += [column for key in table.keys for column in key.columns]
    named += [column for index in table.indexes for column in index.columns]
    named += [reference.column for reference in table.references]
    named += [
        condition.column
        for check in table.checks
        for condition in check.conditions
        if isinstance(condition, (Matches, IsAddress))
    ]
    assert set(named) <= set(columns)
    earlier = TABLES[: TABLES.index(table)]
    for reference in table.references:
        other = BY_NAME[reference.table]
        assert other in earlier, "rows are made in this order"
        assert (reference.to,) in [key.columns for key in other.keys]


def test_names_have_the_prefix_and_are_unique_within_a_table() -> None:
    """mailstack may drop any rule with this prefix."""
    for table in TABLES:
        keys = [key.name for key in table.keys]
        rules = keys + [check.name for check in table.checks] + [made.name for made in table.references]
        indexes = keys + [index.name for index in table.indexes]
        assert all(name.startswith("mailstack_") for name in rules + indexes)
        assert len(set(rules)) == len(rules) and len(set(indexes)) == len(indexes)


@pytest.mark.parametrize("values", [postgresql_ddl.values, mariadb_ddl.values])
def test_every_part_is_in_the_sql_of_every_engine(values: Any) -> None:
    sql = "\n".join(values().values())
    for table in TABLES:
        parts: tuple[Any, ...] = (
            *table.columns,
            *table.keys,
            *table.checks,
            *table.references,
            *table.indexes,
        )
        assert [part.name for part in parts if part.name not in sql] == []


@pytest.mark.parametrize(
    ("table", "model", "others"),
    [
        ("mail_domain", Domain, {"domain_name"}),
        ("mail_users", User, {"email", "initial_password", "password_hash", "senders", "app_passwords"}),
        ("mail_alias_domain", AliasDomain, {"alias_domain"}),
        ("mail_relay_domain", RelayDomain, {"domain_name", "recipients", "next_hop"}),
    ],
)
def test_declared_fields_have_columns(table: str, model: Any, others: set[str]) -> None:
    """This finds a new field without a column, or with one of another name."""
    assert {*settable(table, model), *others} == set(model.model_fields)


def test_a_new_user_gets_every_field() -> None:
    user = User.model_validate({"email": "a@example.org", "quota_mb": 5, "can_send": False})
    (row,) = Accounts(users=(user,)).rows()["mail_users"]
    assert row.key == ("a@example.org",)
    assert row.new.keys() == {"password", *settable("mail_users", User)} - {"mail_driver", "backend"}
    assert row.enforced == {"quota_mb": 5, "can_send": False}
    user = User.model_validate({"email": "a@example.org", "mail_driver": "maildir"})
    (row,) = Accounts(users=(user,)).rows()["mail_users"]
    assert row.new["mail_driver"] == "maildir", "else it is the default of the database"


def test_the_driver_of_new_users_is_that_of_the_settings() -> None:
    for ddl in (postgresql_ddl, mariadb_ddl):
        sql = {driver: "\n".join(ddl.values(driver).values()) for driver in ("maildir", "sdbox")}
        assert sql["maildir"] != sql["sdbox"] == "\n".join(ddl.values().values())
        assert "{mail_driver}" not in sql["sdbox"]
