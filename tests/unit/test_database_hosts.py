"""What `mailstack.db.status` prints, and the fence of a former primary, with programs that only answer."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationError

from mailstack import Settings
from mailstack.components import fence
from mailstack.components.component import site_of
from mailstack.db import commands
from mailstack.db.printed import as_json, as_text
from mailstack.facts.clusters import Cluster
from mailstack.files import File
from mailstack.replication import slot
from mailstack.shell import script
from mailstack.topology import Node, Topology

PRIMARY: dict[str, Any] = {
    "standby": False,
    "timeline": 2,
    "following": None,
    "replicas": [{"name": "slot2", "state": "streaming", "behind": 16}],
}
SLOTS = {"slot2": "db2", "slot3": "db3"}


def test_a_primary_with_one_standby_that_follows_and_one_that_is_away() -> None:
    head, follows, away = as_text("db1", PRIMARY, SLOTS).strip().split("\n")
    assert head.split() == ["HOST", "ROLE", "TIMELINE", "STANDBY", "STATE", "BEHIND"]
    assert follows.split() == ["db1", "primary", "2", "db2", "streaming", "16", "bytes"]
    assert away.split() == ["db1", "primary", "2", "db3", "away"]
    found = json.loads(as_json("db1", PRIMARY, SLOTS))["database"]
    assert found["role"] == "primary"
    assert found["standbys"] == [{"host": "db2", "state": "streaming", "behind": 16}]


def test_a_standby_and_a_server_that_does_not_answer() -> None:
    state = {**PRIMARY, "standby": True, "replicas": [], "following": "192.0.2.1: streaming"}
    assert as_text("db2", state, {"slot1": "db1"}).split()[-5:] == [
        "db2",
        "standby",
        "2",
        "192.0.2.1:",
        "streaming",
    ]
    assert "follows none" in as_text("db2", {**state, "following": None}, {})
    assert "does not answer" in as_text("db2", None, {})
    assert json.loads(as_json("db2", None, {})) == {"host": "db2", "database": None}


@pytest.mark.parametrize(
    ("own", "answer", "stops"),
    [
        ("7 1", "7 2 0/500 \noff", True),
        ("7 1", "7 2 0/500 \non", False),  # a standby of another primary
        ("7 2", "7 2 0/500 \noff", False),
        ("7 10", "7 9 0/500 \noff", False),
        ("7 9", "7 10 0/500 \noff", True),
        ("7 1 3", "7 2 0/500 \noff", False),  # promoted just now, over the other one
        ("7 3 0", "7 2 0/500 \noff", False),
        ("7 1", "8 2 0/500 \noff", False),  # another database
        ("7 1", "", False),  # out of reach
        ("standby", "7 2 0/500 \noff", False),
    ],
)
def test_a_former_primary_does_not_start(tmp_path: Path, own: str, answer: str, stops: bool) -> None:
    settings = Settings(mail_hostname="mail.example.org")
    nodes = (Node("db1", ("db",), "192.0.2.1"), Node("db2", ("db",), "192.0.2.2"))
    mail = Node("mail", ("mx", "imap"), "192.0.2.3")
    site = site_of(settings, Topology(nodes[0], (*nodes, mail)))
    script = next(
        entry.content or ""
        for entry in fence.files(site, "17")
        if isinstance(entry, File) and entry.path.endswith("/fence-database")
    )
    (tmp_path / "PG_VERSION").touch()
    if own == "standby":
        (tmp_path / "standby.signal").touch()
    system, timeline, recovered = [*own.split(), "0", "0"][:3]
    control = (
        f"Database system identifier:           {system}\n"
        f"Latest checkpoint's TimeLineID:       {timeline}\n"
        f"Latest checkpoint's PrevTimeLineID:   {timeline}\n"
        "Minimum recovery ending location:     0/0\n"
        f"Min recovery ending loc's timeline:   {recovered}\n"
    )
    for name, said in (("psql", answer), ("pg_controldata", control)):
        (tmp_path / name).write_text(f"#!/bin/sh\ncat <<'END'\n{said}\nEND\n")
        (tmp_path / name).chmod(0o755)
    script = script.replace("/var/lib/postgresql/17/main", str(tmp_path))
    script = script.replace("/usr/lib/postgresql/17/bin", str(tmp_path))
    done = subprocess.run(
        ["sh", "-s", "check"],
        input=script,
        text=True,
        capture_output=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        timeout=60,
    )
    assert (done.returncode, "192.0.2.2 was promoted" in done.stderr) == (int(stops), stops)


@pytest.mark.parametrize(
    ("standby", "said"),
    [(False, "db1 still is the primary"), (True, None)],
)
def test_no_host_is_promoted_beside_a_primary_that_did_not_stop(
    monkeypatch: pytest.MonkeyPatch, standby: bool, said: str | None
) -> None:
    """pyinfra goes on with the other hosts after one has failed."""
    one, two = Node("db1", ("db",), "192.0.2.1"), Node("db2", ("db",), "192.0.2.2")
    mail = Node("mail", ("mx", "imap"), "192.0.2.3")
    topology = Topology(two, (one, two, mail), frozenset({"db1", "db2"}))
    cluster = commands._Cluster(site_of(Settings(mail_hostname="mail.example.org"), topology), two)
    states = {"db1": {"standby": standby, "received": 0}, "db2": {"standby": True, "received": 0}}
    monkeypatch.setattr(
        commands._Cluster, "state", lambda self, node=None: states[(node or self.site.here).name]
    )
    monkeypatch.setattr(commands, "is_executing", lambda: True)
    monkeypatch.setattr(commands, "host", SimpleNamespace(log_styled=lambda *_, **__: None))
    promote: Any = commands._promote
    promoting = promote._inner.__wrapped__(cluster)
    if said is None:
        assert len(list(promoting)) == 1
        return
    with pytest.raises(OperationError, match=said):
        list(promoting)


@pytest.mark.parametrize(
    ("flags", "own", "copies"),
    [
        ("data used", None, True),
        ("data used standby", None, False),
        ("data used standby", {"following": "192.0.2.2: streaming"}, False),
        ("data used standby", {"following": None}, True),  # what it needs is gone
    ],
)
def test_a_standby_that_follows_none_gets_a_copy(
    monkeypatch: pytest.MonkeyPatch, flags: str, own: dict[str, str | None] | None, copies: bool
) -> None:
    one, two = Node("db1", ("db",), "192.0.2.1"), Node("db2", ("db",), "192.0.2.2")
    topology = Topology(one, (one, two, Node("mail", ("mx", "imap"), "192.0.2.3")), frozenset({"db1", "db2"}))
    settings = Settings(mail_hostname="mail.example.org", mail_db_primary="db2")
    cluster = commands._Cluster(site_of(settings, topology), one)
    primary = {"standby": False, "system": "7", "timeline": 2, "slots": {slot("db1"): {}}}
    monkeypatch.setattr(commands._Cluster, "state", lambda self, node=None: primary if node else own)
    found = (Cluster("17", "main", 5432, frozenset(flags.split())),)
    monkeypatch.setattr(commands, "read", lambda _: SimpleNamespace(postgresql="17", clusters=found))
    monkeypatch.setattr(commands, "host", SimpleNamespace(log=lambda _: None, noop=lambda _: None))
    rejoin: Any = commands._rejoin
    made = list(rejoin._inner.__wrapped__(cluster))
    assert len(made) == int(copies)


@pytest.mark.parametrize(
    ("system", "timeline", "recovered", "said"),
    [
        (7, 1, 0, ""),
        (7, 2, 0, ""),
        (7, 2, 3, "are of timeline 3, later than the primary's 2"),
        (7, 10, 0, "are of timeline 10"),
        (8, 1, 0, "are of another database"),
    ],
)
def test_later_data_are_not_replaced(
    tmp_path: Path, system: int, timeline: int, recovered: int, said: str
) -> None:
    program = tmp_path / "pg_controldata"
    program.write_text(
        f"#!/bin/sh\ncat <<'END'\nDatabase system identifier:           {system}\n"
        f"Latest checkpoint's TimeLineID:       {timeline}\n"
        f"Min recovery ending loc's timeline:   {recovered}\nEND\n"
    )
    program.chmod(0o755)
    (tmp_path / "postgresql.conf").touch()
    text = script("same_database", "17", "7", "2")
    text = text.replace("/usr/lib/postgresql/$1/bin", str(tmp_path))
    text = text.replace("/etc/postgresql/$1/main", str(tmp_path))
    done = subprocess.run(["sh"], input=text, text=True, capture_output=True, timeout=60)
    assert (done.returncode != 0, said in done.stderr) == (said != "", True)
