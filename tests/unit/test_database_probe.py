"""All queries of a run to PostgreSQL use one session."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from pyinfra.api.exceptions import OperationError

from mailstack.engines.mariadb import database as mariadb
from mailstack.engines.postgresql import database as postgresql
from mailstack.engines.postgresql.database import HostDatabase
from mailstack.facts.fact import Question


def probe(database: str, sql: str, port: int = 5432) -> Question[object]:
    """Return a query as the database announces it."""
    return postgresql._Answer.of(port, database, sql)


ROLES, SCHEMA, ACCOUNTS = probe("mail", "roles"), probe("mail", "schema"), probe("mail", "accounts")


def label(asked: Question[object]) -> str:
    """Return the mark before the answer."""
    return str(asked.about[0].label)


def sessions(tmp_path: Path, *asked: Question[object]) -> list[list[str]]:
    """Return the arguments of each psql(1) that is run; none of them finds a server."""
    (ask,) = {each.ask for each in asked}
    for name, text in (
        ("setpriv", 'for word; do printf "%s\\0" "$word" >> "$SAID"; done; echo >> "$SAID"'),
        ("psql", ""),
    ):
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    said = tmp_path / "said"
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}", "SAID": str(said)}
    command = ask([question for each in asked for question in each.about])
    subprocess.run(["sh"], input=command, text=True, env=env, check=False, stdout=subprocess.DEVNULL)
    return [line.split("\0") for line in said.read_text().splitlines()]


def test_all_queries_are_one_session_in_the_mail_database(tmp_path: Path) -> None:
    (session,) = sessions(tmp_path, ACCOUNTS, ROLES, SCHEMA)
    assert session[session.index("-d") + 1] == "mail"
    assert {"roles", "schema", "accounts"} < set(session)


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


def test_without_an_answer_the_result_is_none() -> None:
    assert ROLES.parse("") is None
    assert SCHEMA.parse(f"\f{label(ROLES)}\n{{}}\n\f00000 \n") is None
    assert SCHEMA.parse(f"\f{label(SCHEMA)}\n\f00000 \n") is None


def test_another_server_is_asked_in_a_session_of_its_own(tmp_path: Path) -> None:
    ran = sessions(tmp_path, ROLES, probe("mail", "roles", 5433))
    assert [session[session.index("-p") + 1] for session in ran] == ["5432", "5433"]


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
def test_a_mariadb_that_does_not_answer_may_have_accounts(
    monkeypatch: pytest.MonkeyPatch, said: str, known: bool
) -> None:
    output = said.format(mariadb._Query("mail", "accounts").label)
    monkeypatch.setattr(mariadb, "read", lambda probe: probe.parse(output))
    assert mariadb.HostDatabase().is_known("mail", "accounts") is known
