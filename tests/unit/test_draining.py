"""A host that is taken out: who goes where, and what must not be. No host is asked."""

from __future__ import annotations

from typing import Any

import pytest
from pyinfra.api.exceptions import OperationError, OperationValueError

from mailstack import Settings
from mailstack.accounts.move import Moving, Placed
from mailstack.draining import commands
from mailstack.draining.plan import Draining, checked, leaving
from mailstack.topology import Node, Topology

DB = Node("db", ("db",), "192.0.2.9")
MX1, MX2 = (Node(f"mx{i}", ("mx", "proxy"), f"192.0.2.{i}") for i in (1, 2))
ONE, TWO, THREE = (Node(f"imap{i}", ("imap",), f"192.0.2.1{i}") for i in (1, 2, 3))
EMPTY = Node("imap1", ("imap",), "192.0.2.11", weight=0)
ALL = (DB, MX1, MX2, EMPTY, TWO)
A, B, C = (f"{letter}@example.org" for letter in "abc")


def settings(**more: Any) -> Settings:
    return Settings(mail_hostname="mail.example.org", mail_domains=["example.org"], **more)


def look(name: str, nodes: tuple[Node, ...], without: str = "", **more: Any) -> Draining:
    reached = frozenset(node.name for node in nodes) - {without}
    return checked(settings(**more), Topology(nodes[0], nodes, reached), name)


@pytest.mark.parametrize(
    ("name", "without", "heir"), [("imap1", "", "mx1"), ("imap1", "mx1", "mx2"), ("mx1", "", "mx2")]
)
def test_who_gets_the_queue(name: str, without: str, heir: str) -> None:
    found = look(name, ALL, without)
    assert (found.node.name, found.heir.name) == (name, heir)


@pytest.mark.parametrize(
    ("name", "nodes", "more", "said"),
    [
        ("imap9", ALL, {}, "node = 'imap9': is no mail host of this server; allowed: mx1, mx2, imap1, imap2"),
        ("db", ALL, {}, "node = 'db': is no mail host"),
        ("mx1", (DB, MX1, ONE, TWO), {}, "node = 'mx1': no other host is in the group mx"),
        ("imap1", (DB, MX1, EMPTY), {}, "node = 'imap1': no other host is in the group imap"),
        ("imap2", ALL, {}, "mail_backend_weight = 1 of imap2: new users would come to it; allowed: 0"),
        (
            "imap1",
            ALL,
            {"mail_users": [{"email": A, "initial_password": "a b c", "backend": "imap1"}]},
            f"mail_users: {A} has backend = 'imap1'; allowed: another host, or none",
        ),
        (
            "both",
            (Node("both", ("db", "mx", "imap"), "192.0.2.1"), MX1, ONE),
            {},
            "has the database; allowed",
        ),
    ],
)
def test_what_the_others_need_stays(
    name: str, nodes: tuple[Node, ...], more: dict[str, Any], said: str
) -> None:
    with pytest.raises(OperationValueError, match=said):
        look(name, nodes, **more)


@pytest.mark.parametrize(("name", "without"), [("imap1", "imap1"), ("mx1", "mx2")])
def test_all_that_take_part_are_reached(name: str, without: str) -> None:
    with pytest.raises(OperationError, match=f"^{without} was not reached"):
        look(name, ALL, without)


def placed(email: str, stored: str | None, at: Node, *, can_move: bool = True) -> Placed:
    return Placed(email, "/home", stored, at, can_move)


def plan(*users: Placed, declared: dict[str, str] | None = None) -> list[Moving]:
    found = look("imap1", (*ALL, THREE))
    return leaving(found, users, {"imap1": 0, "imap2": 1, "imap3": 0}, declared or {})


def test_all_users_leave() -> None:
    moving = plan(
        placed(A, None, EMPTY), placed(B, "imap1", EMPTY), placed(C, "imap2", TWO), declared={B: "imap3"}
    )
    assert [(user.email, user.stored, user.source, user.target) for user in moving] == [
        (A, None, EMPTY, TWO),
        (B, "imap1", EMPTY, THREE),
    ]


def test_what_a_killed_move_has_left() -> None:
    """One away from the host goes on, and one to it is undone."""
    moving = plan(
        placed(A, "imap1>>imap3", EMPTY), placed(B, "imap2>imap1", TWO), placed(C, "imap2>imap3", TWO)
    )
    assert [(user.email, user.stored, user.source, user.target) for user in moving] == [
        (A, "imap1>>imap3", EMPTY, TWO),
        (B, "imap2>imap1", TWO, TWO),
    ]


def test_a_user_that_can_not_move_is_named() -> None:
    stuck = placed(A, "imap1", EMPTY, can_move=False)
    with pytest.raises(OperationError, match=f"can't move, .*: {A}; allowed"):
        plan(stuck, placed(B, "imap1", EMPTY))
    assert plan(placed(A, "imap2", TWO, can_move=False)) == []


def test_a_declared_host_without_mailboxes_is_refused() -> None:
    with pytest.raises(OperationError, match=f"{A}: backend = 'gone'; allowed: imap1, imap2, imap3"):
        plan(placed(A, "imap1", EMPTY), declared={A: "gone"})


LATE = {"a late user": placed(B, "imap1", EMPTY), "a late move": placed(B, "imap2>imap1", TWO)}


@pytest.mark.parametrize("failing", ["carry", *LATE, None])
def test_the_queue_moves_after_all_users(monkeypatch: pytest.MonkeyPatch, failing: str | None) -> None:
    done: list[str] = []
    answers = [[placed(A, "imap1", EMPTY)], [LATE[failing]] if failing in LATE else []]

    def carry(*_: object, **__: object) -> None:
        done.append("users")
        if failing == "carry":
            raise OperationError("1 of 1 failed")

    class Host:
        def log(self, text: str) -> None:
            done.append(text)

    monkeypatch.setattr(commands, "carry", carry)
    monkeypatch.setattr(commands, "placed", lambda *_: answers.pop(0))
    monkeypatch.setattr(commands, "forget", lambda: None)
    monkeypatch.setattr(commands, "moved", lambda *_: done.append("queue"))
    monkeypatch.setattr(commands, "host", Host())
    topology = Topology(DB, ALL, frozenset(node.name for node in ALL))
    monkeypatch.setattr("mailstack.hosts.topology", lambda: topology)
    acts: list[Any] = []
    monkeypatch.setattr(commands, "local_command", acts.append)
    function: Any = commands._drain
    inner = function._inner.__wrapped__
    [*_] = inner(settings(), look("imap1", ALL))
    assert done[:2] == [f"~ user {A}: backend imap1 -> imap2", "~ queue of imap1: to mx1"]
    done.clear()
    if failing:
        with pytest.raises(OperationError):
            acts[0]()
        assert done == ["users"]
    else:
        acts[0]()
        assert done[:2] == ["users", "queue"] and "switch it off" in done[2]
