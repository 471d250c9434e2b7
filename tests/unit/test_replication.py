"""A primary's role and slots for its standbys."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationError

from mailstack import Settings
from mailstack.components import postgresql
from mailstack.components.component import site_of
from mailstack.engines.postgresql import replication, scram
from mailstack.engines.postgresql.database import HostDatabase
from mailstack.engines.postgresql.roles import query
from mailstack.facts.clusters import Cluster
from mailstack.facts.platform import Clusters, Platform
from mailstack.replication import REPLICATION_PASSWORD, ROLE, is_slot, slot
from mailstack.secrets import Store
from mailstack.shell import script
from mailstack.topology import Node, Topology

SETTINGS = Settings(mail_hostname="mail.example.org")
ONE, TWO = slot("db1.example.org"), slot("db2.example.org")
STORE = Store({REPLICATION_PASSWORD: "secret"})


def test_slots_have_names_that_postgresql_takes_and_no_two_are_alike() -> None:
    names = ["db1", "DB1", "db-1", "@docker/db1", "d" * 200, "d" * 201]
    slots = [slot(name) for name in names]
    assert len(set(slots)) == len(names)
    for each in slots:
        assert is_slot(each) and len(each) <= 63 and each.replace("_", "").isalnum() and each == each.lower()
    assert not is_slot("mailstack_of_someone") and not is_slot("other")


def steps(monkeypatch: pytest.MonkeyPatch, found: Mapping[str, Any], *slots: str) -> list[str]:
    """Return the titles of the steps for a server in this state."""
    on = {"rolinherit", "rolcanlogin", "rolreplication"}
    off = {"rolsuper", "rolcreaterole", "rolcreatedb", "rolbypassrls"}
    role: dict[str, Any] = {
        **{word: word in on for word in (*on, *off)},
        "rolconnlimit": -1,
        "expires": None,
        "verifier": scram.verifier("secret"),
        "administered": True,
        "memberships": [],
        "settings": [],
    }
    answers = {
        replication.STATE: {"standby": found.get("standby", False), "slots": found.get("slots", {})},
        query((ROLE,)): {"roles": {ROLE: role} if found.get("role", True) else {}},
    }
    monkeypatch.setattr(HostDatabase, "query", lambda _, database, sql: answers[sql])
    return [step.title for step in replication.steps(SETTINGS, slots, STORE)]


def test_a_primary_has_a_role_and_a_slot_for_each_standby(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = {"keeps": True, "lost": False, "active": True}
    assert steps(monkeypatch, {"slots": {ONE: kept}}, ONE) == []
    assert steps(monkeypatch, {"role": False}, ONE) == [
        f"role {ROLE}: created, password",
        f"replication slot {ONE}: created",
    ]
    assert steps(monkeypatch, {"slots": {ONE: kept | {"lost": True}}}, ONE) == [
        f"replication slot {ONE}: made again, as its standby fell behind"
    ]


def test_a_new_slot_keeps_nothing_that_its_standby_may_need_already(monkeypatch: pytest.MonkeyPatch) -> None:
    """So the deploy copies the data again, and a standby does not wait forever for what is gone."""
    steps(monkeypatch, {})
    for found in ({}, {ONE: {"keeps": True, "lost": True, "active": False}}):
        (made,) = replication._slots("mail", found, [ONE])
        assert made.sql.endswith(f"SELECT pg_create_physical_replication_slot('{ONE}', false);")


def test_a_promotion_keeps_what_the_others_need() -> None:
    made = replication.promotion([ONE, TWO])
    assert made.index("pg_promote") < made.index(ONE) < made.index(TWO)
    assert f"pg_create_physical_replication_slot('{TWO}', true) WHERE NOT EXISTS" in made


def test_slots_without_a_standby_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    away = {"keeps": True, "lost": False, "active": False}
    found = {"slots": {ONE: away, TWO: away | {"active": True}, "of_someone": away}}
    assert steps(monkeypatch, found) == [
        f"role {ROLE}: dropped",
        f"replication slot {ONE}: dropped",
        f"replication slot {TWO}: dropped",  # else it keeps all changes once its host is gone
    ]


def test_a_standby_is_not_changed_as_a_primary(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(OperationError, match="is a standby; see mail_db_primary"):
        steps(monkeypatch, {"standby": True}, ONE)


@pytest.mark.parametrize(
    ("here", "flags", "said"),
    [
        ("db1", "data ours used", None),
        ("db1", "data", None),
        ("db1", "data ours used standby", "the PostgreSQL of db1 is a standby; allowed: the host with"),
        ("db2", "data", None),
        ("db2", "data ours used standby", None),
        ("db2", "data used", "17/main of this host has data and is no standby, so no copy replaces it"),
        ("alone", "data ours used standby", None),
    ],
)
def test_no_data_is_replaced_that_is_of_others(here: str, flags: str, said: str | None) -> None:
    nodes = {name: Node(name, ("db",), f"192.0.2.{i}") for i, name in enumerate(("db1", "db2"), 1)}
    nodes["mail"] = Node("mail", ("mx", "imap"), "192.0.2.3")
    alone = Node("alone", ("db", "mx", "imap"), "192.0.2.4")
    among = (alone,) if here == "alone" else tuple(nodes.values())
    site = site_of(SETTINGS, Topology(nodes.get(here, alone), among))
    found = Clusters("17", (Cluster("17", "main", 5432, frozenset(flags.split())),))
    problem = postgresql._other_role(site, found)
    assert problem is None if said is None else said in (problem or "")


@pytest.mark.parametrize(("looks", "status"), [(0, 0), (3, 0), (1000, 1)])
def test_a_standby_that_follows_none_is_found(tmp_path: Path, looks: int, status: int) -> None:
    """A host with it would go on to look up old data, without a word."""
    nodes = (Node("db1", ("db",), "192.0.2.1"), Node("db2", ("db",), "192.0.2.2"))
    topology = Topology(nodes[1], (*nodes, Node("mail", ("mx", "imap"), "192.0.2.3")))
    platform = Platform("debian 13", "2.4", "3.10", "17")
    found = postgresql.POSTGRESQL.probes(site_of(SETTINGS, topology), platform)
    assert len(found) == 2 and "mailstack.db.rejoin db2" in found[1].advice
    assert len(postgresql.POSTGRESQL.probes(site_of(SETTINGS, topology.of(nodes[0])), platform)) == 1
    server = (
        f"as_superuser() {{ n=$(cat n); echo $((n + 1)) > n; echo $((n >= {looks})); }}\nsleep() {{ :; }}\n"
    )
    text = f"echo 0 > n\n{server}{script('probe_standby', '5432', 'mail')}".replace("cd / ", ": ")
    done = subprocess.run(["sh"], input=text, text=True, capture_output=True, timeout=60, cwd=tmp_path)
    assert (done.returncode, "old data" in done.stderr) == (status, bool(status))
