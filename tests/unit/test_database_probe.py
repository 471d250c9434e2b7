"""What the operations of a run ask PostgreSQL is one session."""

from __future__ import annotations

import pytest
from pyinfra.api.exceptions import OperationError

from mailstack.engines.mariadb import database as mariadb
from mailstack.engines.postgresql.database import HostDatabase
from mailstack.facts.reading import Probe


def probe(database: str, sql: str, port: int = 5432) -> Probe[object]:
    """A query as the database announces it."""
    return HostDatabase(port)._probe(database, sql)


ROLES, SCHEMA, ACCOUNTS = probe("mail", "roles"), probe("mail", "schema"), probe("mail", "accounts")


def label(asked: Probe[object]) -> str:
    """What stands before the answer."""
    return str(asked.about[0].label)


def test_all_queries_are_one_session_in_the_mail_database() -> None:
    (about,) = {asked.kind for asked in (ACCOUNTS, ROLES, SCHEMA)}
    command = about([*ACCOUNTS.about, *ROLES.about, *SCHEMA.about])
    assert command.count("bin/psql") == command.count("-d mail") == 1
    assert "postgres " not in command.replace("--reuid=postgres --regid=postgres ", "")


def test_each_finds_its_own_answer() -> None:
    output = (
        f'\f{label(ROLES)}\n{{"a":\n 1}}\n\f00000 \n'
        f"\f{label(SCHEMA)}\n\f42703 no such column\n"
        f"\f{label(ACCOUNTS)}\n\f57P01 terminating connection\n"
    )
    assert ROLES.parse(output) == {"a": 1}
    with pytest.raises(OperationError, match="refused a query: no such column"):
        SCHEMA.parse(output)
    assert ACCOUNTS.parse(output) is None


def test_where_nobody_answers_there_is_nothing() -> None:
    assert ROLES.parse("") is None
    assert SCHEMA.parse(f"\f{label(ROLES)}\n{{}}\n\f00000 \n") is None
    assert SCHEMA.parse(f"\f{label(SCHEMA)}\n\f00000 \n") is None


def test_another_server_is_asked_in_a_session_of_its_own() -> None:
    command = ROLES.kind([*ROLES.about, *probe("mail", "roles", 5433).about])
    assert command.count("-p 5432 -v") == command.count("-p 5433 -v") == 1


@pytest.mark.parametrize(
    ("output", "known"),
    [
        ("", True),  # no psql, so no server
        ("/usr/bin/psql\n", False),  # a server that does not run
        (f"/usr/bin/psql\n\f{label(ACCOUNTS)}\n\f57P03 starting up\n", False),
        (f"/usr/bin/psql\n\f{label(ACCOUNTS)}\n\f00000 \n", True),
        (f"/usr/bin/psql\n\f{label(ROLES)}\n{{}}\n\f00000 \n", False),
    ],
)
def test_a_server_that_does_not_answer_may_have_accounts(
    monkeypatch: pytest.MonkeyPatch, output: str, known: bool
) -> None:
    monkeypatch.setattr("mailstack.engines.postgresql.database.read", lambda probe: probe.parse(output))
    assert HostDatabase().is_known("mail", "accounts") is known


@pytest.mark.parametrize(
    ("said", "known"),
    [("", True), ("/usr/bin/mariadb\n\f{}\n", False), ("/usr/bin/mariadb\n\f{}\nno database\n", True)],
    ids=["not installed", "does not run", "has none"],
)
def test_so_may_mariadb(monkeypatch: pytest.MonkeyPatch, said: str, known: bool) -> None:
    output = said.format(mariadb._Query("mail", "accounts").label)
    monkeypatch.setattr(mariadb, "read", lambda probe: probe.parse(output))
    assert mariadb.HostDatabase().is_known("mail", "accounts") is known
