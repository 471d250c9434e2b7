"""A queue that moves to another host: nothing is lost and nothing delivered twice, wherever it is killed."""

from __future__ import annotations

import errno
import io
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationError, OperationValueError

from mailstack import Settings
from mailstack.on_host.rescue import __main__ as program
from mailstack.on_host.rescue import source, spool, target
from mailstack.queue import commands, moving
from mailstack.topology import Node, Topology

ONE, TWO, THREE = (Node(name, ("mx",), f"192.0.2.{i}") for i, name in enumerate(("one", "two", "three"), 1))


class Killed(BaseException):
    """The program is killed here."""


def record(kind: str, data: str) -> bytes:
    """Return a record of a queue file, see rec_put(3) in Postfix's source."""
    length = len(data)
    sizes = [length & 0x7F]
    while length := length >> 7:
        sizes[-1] |= 0x80
        sizes.append(length & 0x7F)
    return kind.encode() + bytes(sizes) + data.encode()


def content(number: int) -> bytes:
    """Return a message in the form of Postfix."""
    named = record("C", " " * 200) + record("T", f"1700000000 {number:06}") + record("S", "a@example.net")
    return named + record("R", "b@example.org") + record("N", f"number {number}") + record("E", "")


class Spool:
    """The spool of a host."""

    def __init__(self, path: Path) -> None:
        self.path = path / "spool"
        self.rescued = path / "rescued"
        for folder in (*spool.QUEUES, *spool.LOGS):
            (self.path / folder).mkdir(parents=True)

    def add(self, number: int, queue: str, *logs: str, mode: int = 0o700, hashed: str = "") -> None:
        """Add a message, with the name that Postfix gives it."""
        path = self.path / queue / hashed / "new"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content(number))
        path.chmod(mode)
        name = f"{number:05X}{path.stat().st_ino:X}"
        path.rename(path.with_name(name))
        for log in logs:
            (self.path / log / name).write_text(f"{log} {number}")

    def files(self, *queues: str) -> dict[Path, bytes]:
        """Return the complete files in these queues."""
        paths = [path for queue in queues for path in (self.path / queue).rglob("*") if path.is_file()]
        return {path: path.read_bytes() for path in paths if path.stat().st_mode & 0o100}

    def deliver(self) -> list[bytes]:
        """Deliver all, as a Postfix that runs may do at any time."""
        found = self.files(*spool.QUEUES)
        for path in found:
            path.unlink()
        return [*found.values()]


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Spool]:
    """Return two hosts whose Postfix does not run; steps are done with this process's rights."""
    made = {name: Spool(tmp_path / name) for name in ("one", "two", "three")}
    monkeypatch.setattr(source, "stop", lambda: None)
    monkeypatch.setattr(target, "wake", lambda: None)
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    monkeypatch.setattr(os, "fchown", lambda handle, user, group: None)
    monkeypatch.setattr(
        target, "pwd", SimpleNamespace(getpwnam=lambda name: SimpleNamespace(pw_uid=1, pw_gid=1))
    )
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(stdout="deferred, defer\n"))

    def step(node: Node, name: str, *arguments: str, data: str | None = None) -> dict[str, Any]:
        monkeypatch.setattr(spool, "SPOOL", made[node.name].path)
        monkeypatch.setattr(target, "RECORD", made[node.name].rescued)
        monkeypatch.setattr(sys, "stdin", io.StringIO(data or ""))
        said: dict[str, Any] = json.loads(json.dumps(program.step(name, *arguments)))
        return said

    monkeypatch.setattr(moving, "_step", step)
    return made


def filled(one: Spool) -> list[bytes]:
    """Fill a queue, and return its complete messages."""
    for number, queue in enumerate(("incoming", "active", "hold"), 1):
        one.add(number, queue)
    one.add(4, "maildrop", mode=0o744)
    one.add(5, "deferred", "bounce", "trace", hashed="0")
    one.add(6, "incoming", mode=0o600)
    return [content(number) for number in range(1, 6)]


def test_all_of_a_queue_moves(hosts: dict[str, Spool]) -> None:
    one, two = hosts["one"], hosts["two"]
    wanted = filled(one)
    tally = moving.from_host(ONE, TWO)
    assert tally.put == {"incoming": 3, "hold": 1, "maildrop": 1}
    assert (tally.known, tally.unfinished, tally.left) == (0, 1, [])
    found = two.files("incoming", "hold", "maildrop")
    assert sorted(found.values()) == sorted(wanted)
    for path, text in found.items():  # the name that Postfix itself gives the file
        arrived = int(spool.arrived(text).split()[1])
        assert path.name == f"{arrived:05X}{path.stat().st_ino:X}"
        assert path.stat().st_mode & 0o777 == (0o744 if path.parent.name == "maildrop" else 0o700)
    deferred = next(path.name for path, text in found.items() if text == content(5))
    assert [(two.path / kind / deferred).read_text() for kind in spool.LOGS] == ["bounce 5", "trace 5"]
    left = [path for path in one.path.rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in left] == [content(6)]
    assert not (two.path / "mailstack-rescue").exists()
    assert moving.from_host(ONE, TWO).put == {}


POINTS = (
    (os, "fsync"),
    (Path, "rename"),
    (Path, "replace"),
    (Path, "unlink"),
    (Path, "mkdir"),
    (Path, "rmdir"),
    (shutil, "rmtree"),
)


def killed_at(number: int, monkeypatch: pytest.MonkeyPatch, act: Callable[[], object]) -> bool:
    """Do something, and be killed before a call that changes the disk. Return whether there was one."""
    left = [number]

    def wrapped(real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] < 0:
                raise Killed
            return real(*args, **kwargs)

        return call

    with monkeypatch.context() as patch:
        for owner, name in POINTS:
            patch.setattr(owner, name, wrapped(getattr(owner, name)))
        try:
            act()
        except Killed:
            return True
    return False


@pytest.mark.parametrize("way", ["host", "directory"])
def test_a_killed_run_loses_nothing_and_doubles_nothing(
    hosts: dict[str, Spool], monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    """Both hosts deliver what is in their queues after it, and then it is run again."""
    one, two = hosts["one"], hosts["two"]

    def act() -> moving.Tally:
        return moving.from_host(ONE, TWO) if way == "host" else moving.from_directory(str(one.path), TWO)

    number = 0
    while True:
        for each in (one, two):
            shutil.rmtree(each.path.parent)
            each.__init__(each.path.parent)  # type: ignore[misc]
        wanted = filled(one)
        was_killed = killed_at(number, monkeypatch, act)
        delivered = [*two.deliver()]
        if way == "host":
            delivered += one.deliver()
        act()
        delivered += two.deliver()
        assert Counter(delivered) == Counter(wanted), number
        if not was_killed:
            break
        number += 1
    assert number > 40


def test_a_run_that_fails_half_way_says_where_the_mail_is(
    hosts: dict[str, Spool], monkeypatch: pytest.MonkeyPatch
) -> None:
    filled(hosts["one"])
    step = moving._step

    def failing(node: Node, name: str, *arguments: str, data: str | None = None) -> dict[str, Any]:
        if name == "put":
            raise OperationError("two: No space left on device")
        return step(node, name, *arguments, data=data)

    monkeypatch.setattr(moving, "_step", failing)
    said = "^two: No space left on device; .* in no queue, but in .*/mailstack-rescue of one, .* stopped$"
    with pytest.raises(OperationError, match=said):
        moving.from_host(ONE, TWO)


def test_a_third_host_gets_nothing_that_the_second_may_have(
    hosts: dict[str, Spool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Wherever the run to the second one was killed: all is delivered once, or the third one is refused."""
    refused = number = 0
    while True:
        for each in hosts.values():
            shutil.rmtree(each.path.parent)
            each.__init__(each.path.parent)  # type: ignore[misc]
        wanted = filled(hosts["one"])
        was_killed = killed_at(number, monkeypatch, lambda: moving.from_host(ONE, TWO))
        try:
            moving.from_host(ONE, THREE)
        except spool.Problem as problem:
            assert "into the queue of two; allowed: to = 'two' first" in str(problem)
            with pytest.raises(spool.Problem, match="into the queue of two"):
                moving.from_directory(str(hosts["one"].path), THREE)
            moving.from_host(ONE, TWO)
            refused += 1
        moving.from_host(ONE, THREE)  # nothing is refused any more
        moving._step(TWO, "ready")
        delivered = [text for each in hosts.values() for text in each.deliver()]
        assert Counter(delivered) == Counter(wanted), number
        if not was_killed:
            break
        number += 1
    assert 0 < refused < number


def test_a_host_that_comes_back_after_its_disk_was_copied(hosts: dict[str, Spool]) -> None:
    one, two = hosts["one"], hosts["two"]
    wanted = filled(one)
    assert moving.from_directory(str(one.path), TWO).put.total() == 5
    delivered = two.deliver()
    tally = moving.from_host(ONE, TWO)
    assert (tally.put, tally.known) == ({}, 5)
    assert sorted(delivered + two.deliver()) == sorted(wanted)
    assert one.files(*spool.QUEUES) == {}


def test_who_submitted_a_message_stays_known(
    hosts: dict[str, Spool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of one that Postfix owns, as by `postsuper -r`, pickup(8) takes over what no user may say."""
    owners: dict[int, int] = {}
    monkeypatch.setattr(
        os, "fchown", lambda handle, user, group: owners.update({os.fstat(handle).st_ino: user})
    )
    hosts["one"].add(1, "maildrop", mode=0o744)
    hosts["one"].add(2, "maildrop", mode=0o700)
    moving.from_host(ONE, TWO)
    found = hosts["two"].files("maildrop")
    seen = {text: (path.stat().st_mode & 0o777, owners[path.stat().st_ino]) for path, text in found.items()}
    assert seen == {content(1): (0o744, 0), content(2): (0o700, 1)}


def test_a_message_that_shall_expire_does(hosts: dict[str, Spool]) -> None:
    """As by `postsuper -e`, also if the run to the other host and back is of a copied disk."""
    one, two = hosts["one"], hosts["two"]
    for number, queue in enumerate(("deferred", "hold"), 1):
        one.add(number, queue, mode=0o710)
    one.add(3, "deferred")
    moving.from_host(ONE, TWO)
    moving.from_directory(str(two.path), ONE)
    found = one.files("incoming", "hold")
    assert {text: path.stat().st_mode & 0o777 for path, text in found.items()} == {
        content(1): 0o710,
        content(2): 0o710,
        content(3): 0o700,
    }


def test_a_copy_that_has_lost_the_modes_lets_no_message_expire(hosts: dict[str, Spool]) -> None:
    hosts["two"].add(1, "deferred", mode=0o755)
    moving.from_directory(str(hosts["two"].path), ONE)
    assert {path.stat().st_mode & 0o777 for path in hosts["one"].files("incoming")} == {0o700}


def test_there_and_back_again(hosts: dict[str, Spool]) -> None:
    """A message that has been in a queue before is no known one, if it was moved away since."""
    wanted = [*filled(hosts["one"]), content(7)]
    long_id = hosts["one"].path / "incoming/4Lj8dQ1mkzz5Gk"  # it stays the same
    long_id.write_bytes(content(7))
    long_id.chmod(0o700)
    for source_node, target_node in ((ONE, TWO), (TWO, ONE), (ONE, TWO), (TWO, ONE)):
        tally = moving.from_host(source_node, target_node)
        assert (tally.put.total(), tally.known) == (6, 0)
    assert sorted(hosts["one"].deliver()) == sorted(wanted)


def test_what_is_no_message_stays(hosts: dict[str, Spool]) -> None:
    one, two = hosts["one"], hosts["two"]
    one.add(1, "incoming")
    bad = one.path / "deferred/ABCDEF0123"
    bad.write_bytes(b"C\x05no")
    bad.chmod(0o700)
    (one.path / "incoming/.hidden").write_text("no queue ID")
    killed = one.path / "deferred/ABCDE0124#FIX"  # postsuper(1) was killed as it gave the message another ID
    killed.write_bytes(content(2))
    killed.chmod(0o700)
    for _ in range(2):
        tally = moving.from_host(ONE, TWO)
        assert sorted(tally.left) == [str(killed), "ABCDEF0123"]
    assert [*two.files("incoming").values()] == [content(1)]
    assert (one.path / spool.OUT / "deferred/ABCDEF0123").read_bytes() == b"C\x05no"


@pytest.mark.parametrize("time", ["1700000000 1\n2", "170000\xe9", "", "yesterday"])
def test_a_time_that_is_none_is_damage(hosts: dict[str, Spool], time: str) -> None:
    """It must not be lost, as no line of the record fits it, and must not keep all others back."""
    one, two = hosts["one"], hosts["two"]
    one.add(1, "incoming")
    bad = one.path / "incoming/ABCDEF0123"
    bad.write_bytes(record("T", time) + record("E", ""))
    bad.chmod(0o700)
    tally = moving.from_host(ONE, TWO)
    assert tally.left == ["ABCDEF0123"]
    assert [*two.files("incoming").values()] == [content(1)]
    assert (one.path / spool.OUT / "incoming/ABCDEF0123").exists()


@pytest.mark.parametrize("act", [moving.from_directory, moving.from_host])
def test_a_directory_that_can_not_be_read_is_named(
    hosts: dict[str, Spool], monkeypatch: pytest.MonkeyPatch, act: Any
) -> None:
    """Of a disk that fails, or one of the network that root may not read."""
    one, two = hosts["one"], hosts["two"]
    one.add(1, "incoming")
    one.add(2, "deferred", hashed="0")
    real, bad = os.scandir, str(one.path / "deferred/0")

    def scandir(path: str) -> Any:
        if str(path) == bad:
            raise OSError(errno.EIO, "Input/output error", bad)
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert act(ONE if act is moving.from_host else str(one.path), TWO).left == [bad]
    assert [*two.files("incoming").values()] == [content(1)]


@pytest.mark.parametrize(
    ("byte", "said"), [(b"\0", "no time of arrival"), (b"\xff", "a record that is too long")]
)
def test_a_file_that_a_disk_has_overwritten(byte: bytes, said: str) -> None:
    """To read a length without an end would take hours."""
    with pytest.raises(spool.Problem, match=said):
        spool.arrived(byte * 100_000)


def test_no_link_is_followed(hosts: dict[str, Spool], tmp_path: Path) -> None:
    """Root reads the queue, and Postfix may have been taken over."""
    one, two = hosts["one"], hosts["two"]
    one.add(1, "incoming", "bounce")
    (log,) = (one.path / "bounce").iterdir()
    secret = tmp_path / "secret"
    secret.write_bytes(content(2))
    secret.chmod(0o700)
    log.unlink()
    log.symlink_to(secret)
    (one.path / "incoming/ABCDEF0123").symlink_to(secret)
    for act in (moving.from_directory, moving.from_host):
        origin: Any = str(one.path) if act is moving.from_directory else ONE
        assert act(origin, TWO).left == [log.name]
    assert [path for path in two.path.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize(
    "message",
    [
        {"queue": "../../etc", "id": "ABCDEF0123"},
        {"queue": "incoming", "id": "../ABCDEF0123"},
        {"queue": "corrupt", "id": "ABCDEF0123"},
    ],
)
def test_a_host_can_not_write_elsewhere_on_another(hosts: dict[str, Spool], message: dict[str, str]) -> None:
    given = {**message, "requeued": False, "expired": False, "files": {"message": ""}}
    with pytest.raises(spool.Problem, match="no message"):
        moving._step(TWO, "put", data=json.dumps({"messages": [given]}))


@pytest.mark.parametrize(
    ("path", "said"), [("/etc", "/etc has no queue of Postfix"), ("own", "is the queue of this host itself")]
)
def test_a_directory_without_a_queue(hosts: dict[str, Spool], path: str, said: str) -> None:
    with pytest.raises(spool.Problem, match=said):
        moving.from_directory(str(hosts["two"].path) if path == "own" else path, TWO)


def test_another_hash_of_the_queue_is_refused(
    hosts: dict[str, Spool], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And before Postfix is stopped."""
    filled(hosts["one"])
    before = hosts["one"].files(*spool.QUEUES)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: SimpleNamespace(stdout="incoming, defer\n"))
    with pytest.raises(spool.Problem, match="hash_queue_names has incoming; allowed"):
        moving.from_host(ONE, TWO)
    assert hosts["one"].files(*spool.QUEUES) == before


@pytest.mark.parametrize(
    ("former", "inode", "name"),
    [("0A1B2C3D4", 0xFF, "0A1B2FF"), ("4Lj8dQ1mkzz5Gk", 0xFF, "4Lj8dQ1mkzz5Gk")],
    ids=["short", "long"],
)
def test_ids(former: str, inode: int, name: str) -> None:
    assert spool.is_id(former) and spool.id_of(former, inode) == name


def test_batches_fit_into_memory() -> None:
    listed = [("incoming", f"ABCDE{number}", size) for number, size in enumerate((1, 5 << 20, 1, 1, 4 << 20))]
    assert [[size for *_, size in batch] for batch in moving.batches(listed)] == [
        [1],
        [5 << 20],
        [1, 1],
        [4 << 20],
    ]
    assert [*moving.batches([])] == []
    assert [len(batch) for batch in moving.batches([("hold", "ABCDEF", 1)] * 700)] == [500, 200]


def named(source_name: str, to: str, reached: frozenset[str]) -> object:
    """Return what the command makes of its arguments."""
    groups: Iterator[tuple[str, tuple[Any, ...]]] = iter(
        [("db", ("db",)), ("one", ("mx", "imap")), ("two", ("mx", "proxy")), ("three", ("imap",))]
    )
    nodes = tuple(Node(name, roles, "192.0.2.1") for name, roles in groups)
    settings = Settings(mail_hostname="mail.example.org")
    topology = Topology(nodes[1], nodes, reached)
    chosen = commands.checked_target(settings, topology, to)
    return commands._source(settings, topology, source_name, chosen)


ALL = frozenset({"db", "one", "two", "three"})


@pytest.mark.parametrize(
    ("source_name", "to", "reached", "said"),
    [
        ("one", "four", ALL, "to = 'four': allowed: one, two"),
        ("one", "three", ALL, "to = 'three': allowed: one, two"),
        ("two", "two", ALL, "source = 'two': allowed: one, three, or the path of its spool directory on two"),
        ("db", "two", ALL, "source = 'db': allowed: one, three"),
        ("one", "two", ALL - {"one"}, "one was not reached; allowed: a run that reaches it, or the path of"),
        ("/mnt", "two", ALL - {"two"}, "two was not reached"),
    ],
)
def test_hosts_that_can_not_do_it(source_name: str, to: str, reached: frozenset[str], said: str) -> None:
    with pytest.raises((OperationError, OperationValueError), match=said):
        named(source_name, to, reached)


def test_a_path_needs_no_other_host() -> None:
    assert named("/mnt/spool", "two", frozenset({"two"})) == "/mnt/spool"
