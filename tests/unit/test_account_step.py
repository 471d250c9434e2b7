"""The database that an account command finds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack import hosts
from mailstack.accounts import fulfil, sql, step
from mailstack.accounts.plan import Absent
from mailstack.accounts.step import NOTHING, Step, Wish
from mailstack.engines import engine_of
from mailstack.settings import Settings
from mailstack.topology import ROLES, Node, Topology
from tests.unit.test_hosts import inventory

SETTINGS = Settings(mail_hostname="mail.example.org")
HANDMADE = {"mail_domain": [{"domain_name": "example.org"}], "mailstack_schema": []}
OURS = HANDMADE | {"mailstack_schema": [{"file_name": "010_tables.sql"}]}


def found(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any] | None, *, executing: bool = False, deploy: bool
) -> Step:
    """Return an operation on a host whose database says this, in a run that deploys the host or does not."""
    database = SimpleNamespace(query=lambda name, sql: answer)
    engine = SimpleNamespace(database=lambda settings: database, dialect=engine_of(SETTINGS).dialect)
    monkeypatch.setattr(step, "host", SimpleNamespace(name="somewhere"))
    monkeypatch.setattr(step, "is_executing", lambda: executing)
    monkeypatch.setattr(step, "engine_of", lambda settings: engine)
    monkeypatch.setattr(step, "deployed_with", lambda: SETTINGS if deploy else None)
    return Step(SETTINGS, lambda _: Wish())


@pytest.mark.parametrize("executing", [False, True], ids=["prepare", "execute"])
@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (HANDMADE, "somewhere has a database 'mail' that mailstack has not taken over: first deploy"),
        (None, "somewhere has no mail database 'mail' that answers: first deploy"),
    ],
    ids=["by hand", "none"],
)
def test_a_command_waits_for_the_first_deploy(
    monkeypatch: pytest.MonkeyPatch, answer: dict[str, Any] | None, said: str, executing: bool
) -> None:
    with pytest.raises(OperationValueError, match=said):
        found(monkeypatch, answer, executing=executing, deploy=False).read()


def test_the_run_that_takes_a_database_over_plans_on_its_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert list(found(monkeypatch, HANDMADE, deploy=True).read()["mail_domain"]) == [("example.org",)]
    assert found(monkeypatch, None, deploy=True).read() == NOTHING
    ours = found(monkeypatch, OURS, deploy=False)
    assert list(ours.read()["mail_domain"]) == [("example.org",)]
    assert "mailstack_schema" in ours.query


def test_a_step_follows_those_for_the_same_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "is_executing", lambda: False)
    one = inventory()["one"]
    monkeypatch.setattr(step, "current_host", lambda: one)
    other = Settings(mail_hostname="mail.example.org", mail_db_name="mail2")
    first, second, third = (step.following(Step(s, lambda _: Wish())) for s in (SETTINGS, SETTINGS, other))
    assert (first.previous, second.previous, third.previous) == (None, first, None)


@pytest.mark.parametrize("has_mail", [True, False])
def test_rights_are_revoked_where_the_mail_lies(monkeypatch: pytest.MonkeyPatch, has_mail: bool) -> None:
    here = Node("one", ROLES if has_mail else ("db",))
    monkeypatch.setattr(hosts, "topology", lambda: Topology(here, (here,)))
    shared = Settings(mail_hostname="mail.example.org", mail_shared_folders=True)
    there = sql.parse({"mail_former_addresses": [{"email": "gone@example.org"}]})
    work = fulfil._work(Step(shared, lambda _: Wish()), there)
    assert work.former == (["gone@example.org"] if has_mail else [])


@pytest.mark.parametrize(
    ("backend", "backends", "said"),
    [
        ("one", {"one": 1, "two": 1}, None),
        (None, {"one": 1, "two": 1}, None),
        (None, {}, None),
        ("two", {"one": 1, "two": 1}, "is on two, .*move to one"),
        ("one>two", {"one": 1, "two": 1}, "is on one>two"),
        (None, {"two": 1, "one": 1}, "is on two"),
    ],
)
def test_mail_on_another_host_is_not_said_to_be_deleted(
    monkeypatch: pytest.MonkeyPatch, backend: str | None, backends: dict[str, int], said: str | None
) -> None:
    here = Node("one", ROLES)
    monkeypatch.setattr(hosts, "topology", lambda: Topology(here, (here,)))
    user = {"email": "a@example.org", "mail_directory": "example.org/a.1", "backend": backend}
    current = sql.parse({"mail_domain": [{"domain_name": "example.org"}], "mail_users": [user]})
    wish = Wish(absent=Absent({"mail_users": frozenset({("a@example.org",)})}), delete_mail=True)
    asked = Step(SETTINGS, lambda _: wish, backends=backends)
    if said is None:
        assert fulfil._work(asked, current).homes == ["/var/vmail/example.org/a.1"]
        return
    with pytest.raises(OperationValueError, match=f"delete_mail: the mail of a@example.org {said}"):
        fulfil._work(asked, current)
