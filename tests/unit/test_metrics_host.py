"""The parts of the program for metrics that ask other programs of the host."""

from __future__ import annotations

import json
import re
import shutil
import socketserver
import subprocess
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

from mailstack.on_host.metrics import __main__ as command
from mailstack.on_host.metrics import backups, host, quota
from mailstack.on_host.metrics.quota import AGAIN, AT_ONCE, RUNS, Mailboxes
from mailstack.on_host.metrics.text import Metric

NOW = 1_000_000.0


class Dovecot:
    """Mailboxes, of which each is at a percentage of its quota."""

    def __init__(self, home: Path, percentages: dict[str, int]) -> None:
        self.home, self.percentages, self.asked = home, percentages, list[str]()
        for user in percentages:
            (home / user).mkdir()

    def homes(self, users: list[str]) -> dict[str, str]:
        return {user: str(self.home / user) for user in users if user in self.percentages}

    def doveadm(self, arguments: list[str]) -> str:
        if arguments == ["user", "*"]:
            return "".join(f"{user}\n" for user in self.percentages)
        users = Path(arguments[-1]).read_text().split()
        self.asked += users
        lines = ["Username\tQuota name\tType\tValue\tLimit\t%"]
        for user in users:
            lines += (
                f"{user}\tUser\tSTORAGE\t1\t2\t{self.percentages[user]}",
                f"{user}\tUser\tMESSAGE\t1\t-\t0",
            )
        return "".join(f"{line}\n" for line in lines)


def dovecot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, percentages: dict[str, int]) -> Dovecot:
    made = Dovecot(tmp_path, percentages)
    monkeypatch.setattr(quota, "_doveadm", made.doveadm)
    monkeypatch.setattr(quota, "_homes", made.homes)
    return made


@pytest.fixture
def answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, str]]:
    """Yield what Dovecot answers at its socket, by the user; it answers the last one first."""
    known: dict[str, str] = {}

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            assert self.rfile.readline() == b"VERSION\t1\t0\n"
            self.wfile.write(b"VERSION\t1\t1\nSPID\t1\n")
            asked: list[tuple[str, str]] = []
            while not asked or asked[-1][1] != "last":
                kind, number, user, service = self.rfile.readline().decode().rstrip("\n").split("\t")
                assert (kind, service) == ("USER", "service=doveadm")
                asked.append((number, user))
            for number, user in reversed(asked):
                self.wfile.write(known.get(user, "NOTFOUND\t{}\n").format(number).encode())

    monkeypatch.setattr(quota, "USERS", tmp_path / "socket")
    with socketserver.ThreadingUnixStreamServer(str(tmp_path / "socket"), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield known
        server.shutdown()
        thread.join()


def test_homes_are_asked_where_no_other_user_of_the_host_sees_it(
    answers: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def no_program(*arguments: object, **options: object) -> None:
        raise AssertionError(arguments)

    monkeypatch.setattr(subprocess, "run", no_program)
    answers["a@b"] = "USER\t{}\ta@b\tuid=5000\thome=/var/vmail/a b\tquota=1\n"
    answers["x*@b"] = "USER\t{}\tx*@b\thome=/var/vmail/x\n"
    answers["broken"] = "FAIL\t{}\treason=home\n"
    found = quota._homes(["a@b", "broken", "-gone", "x*@b", "last"])
    assert found == {"a@b": "/var/vmail/a b", "x*@b": "/var/vmail/x"}


def test_a_database_that_is_away_is_no_empty_list_of_users(answers: dict[str, str]) -> None:
    answers["a"] = answers["last"] = "FAIL\t{}\n"
    with pytest.raises(OSError, match="can't look up users"):
        quota._homes(["a", "last"])
    answers["last"] = ""
    with pytest.raises(OSError, match="closed the connection"):
        quota._homes(["a", "last"])


def numbers(metrics: Iterable[Metric]) -> dict[str, list[float]]:
    return {metric.name: [number for _, number in metric.samples] for metric in metrics}


def test_a_round_looks_at_each_mailbox_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = dovecot(tmp_path, monkeypatch, {f"u{number}": number for number in range(2 * RUNS - 10)})
    mailboxes = Mailboxes({}, tmp_path / "users")
    for run in range(RUNS):
        shown = numbers(mailboxes.metrics(NOW + run))
        assert len(made.asked) <= 2 * (run + 1)
    assert sorted(made.asked) == sorted(made.percentages)
    assert shown["mailstack_quota_users"] == [30, 20, 10]
    # and then nothing, for an hour
    list(mailboxes.metrics(NOW + AGAIN - 1))
    assert len(made.asked) == len(made.percentages)
    list(mailboxes.metrics(NOW + AGAIN))
    assert len(made.asked) == len(made.percentages) + 2


def test_a_run_asks_for_no_more_than_its_part(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = dovecot(tmp_path, monkeypatch, {f"u{number}": 1 for number in range(AT_ONCE * RUNS + 1)})
    list(Mailboxes({}, tmp_path / "users").metrics(NOW))
    assert len(made.asked) == AT_ONCE


def test_users_without_a_directory_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = dovecot(tmp_path, monkeypatch, {"a": 95, "b": 95})
    (tmp_path / "b").rmdir()
    mailboxes = Mailboxes({}, tmp_path / "users")
    for run in range(2):
        shown = numbers(mailboxes.metrics(NOW + run))
    assert made.asked == ["a"]
    assert shown == {"mailstack_quota_users": [1, 1, 0], "mailstack_quota_timestamp_seconds": [NOW + 1]}


def test_a_user_who_was_deleted_meanwhile_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = dovecot(tmp_path, monkeypatch, {f"u{number}": 99 for number in range(2 * RUNS)})
    kept: dict[str, object] = {}
    mailboxes = Mailboxes(kept, tmp_path / "users")
    (tmp_path / "users").write_text("".join(f"u{number}\n" for number in range(2 * RUNS)))
    kept.update(begun=NOW, place=0, found={})
    del made.percentages["u0"]
    list(mailboxes.metrics(NOW))
    assert made.asked == ["u1"]


def test_a_round_whose_state_is_lost_begins_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = dovecot(tmp_path, monkeypatch, {"a": 95})
    (tmp_path / "users").write_text("old\n")
    kept: dict[str, object] = {}
    assert numbers(Mailboxes(kept, tmp_path / "users").metrics(NOW))["mailstack_quota_users"] == [1, 1, 0]
    assert made.asked == ["a"] and not (tmp_path / "users").exists()


def test_a_mailbox_that_can_not_be_read_does_not_stop_a_round(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = dovecot(tmp_path, monkeypatch, {"a": 95, "b": 95})
    mailboxes = Mailboxes({}, tmp_path / "users")

    def fails(arguments: list[str]) -> str:
        if "quota" in arguments:
            raise OSError("doveadm quota: status 75")
        return made.doveadm(arguments)

    monkeypatch.setattr(quota, "_doveadm", fails)
    with pytest.raises(OSError):
        list(mailboxes.metrics(NOW))
    monkeypatch.setattr(quota, "_doveadm", made.doveadm)
    list(mailboxes.metrics(NOW))
    assert made.asked == ["b"]


def test_services_and_their_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    told = "NRestarts=3\nActiveState=active\n\nActiveState=failed\nNRestarts=0\n\nActiveState=active\n"
    monkeypatch.setattr(host, "_run", lambda command: told)
    units = {"a": "a.service", "b": "b.service", "c": "c.timer"}
    assert numbers(host.services(units)) == {
        "mailstack_service_up": [1, 0, 1],
        "mailstack_service_restarts_total": [3, 0],
    }


def test_bans_by_jail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(
        host, "_run", lambda command: "[{'postfix': ['192.0.2.1', '2001:db8::/64']}, {'x': []}]\n"
    )
    metric, missing = host.bans()
    assert list(missing.samples) == [({}, 0.0)]
    assert list(metric.samples) == [({"jail": "postfix"}, 2.0), ({"jail": "x"}, 0.0)]
    monkeypatch.setattr(shutil, "which", lambda name: None)
    assert numbers(host.bans()) == {"mailstack_banned_addresses": [0], "mailstack_bans_missing": [0]}


REJECTS = [{"rule": {"expr": [{"reject": None}]}}] * 2


@pytest.mark.parametrize(
    ("table", "missing"),
    [
        ([{"set": {"elem": ["192.0.2.1"]}}, *REJECTS], 0),
        ([{"set": {"elem": ["192.0.2.1"]}}], 2),  # somebody has removed the rules
        ([{"set": {}}, *REJECTS], 2),
        (None, 2),  # after `nft flush ruleset`
    ],
)
def test_bans_without_effect(
    table: list[dict[str, object]] | None, missing: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(command: list[str]) -> str:
        if command[0] == "fail2ban-client":
            return "[{'mailstack': ['192.0.2.1', '2001:db8::1']}, {'sshd': ['192.0.2.9']}]"
        if table is None:
            raise OSError("nft: No such file or directory")
        return json.dumps({"nftables": table})

    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(host, "_run", run)
    assert numbers(host.bans())["mailstack_bans_missing"] == [missing]


def test_certificates_end_and_are_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "CERTIFICATES", tmp_path)
    monkeypatch.setattr(host, "KEPT", tmp_path / "certificates.json")
    host.KEPT.write_text('{"mail.example.org": {}, "a.example": {}}')
    (tmp_path / "cert.pem").touch()
    for domain in ("a.example", "gone.example"):
        (tmp_path / "domains" / domain).mkdir(parents=True)
        (tmp_path / "domains" / domain / "cert.pem").touch()
    asked: list[list[str]] = []

    def openssl(command: list[str]) -> str:
        asked.append(command)
        if "domains" in command[-1]:
            raise OSError("not a certificate")
        return "notAfter=Jan  1 00:00:00 2030 GMT\n"

    monkeypatch.setattr(host, "_run", openssl)
    known: dict[str, list[float]] = {}
    for _ in range(2):
        assert numbers(host.certificates(known)) == {
            "mailstack_certificate_not_after_timestamp_seconds": [1893456000, 0]
        }
    assert len(asked) == 2
    (tmp_path / "cert.pem").unlink()
    list(host.certificates(known))
    assert list(known) == ["domains/a.example/cert.pem"]


def test_a_damaged_state_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "STATE", tmp_path)
    for text in ("", "[]", '{"counted": {'):
        (tmp_path / "state.json").write_text(text)
        assert command._kept() == {}


def test_a_link_in_the_shown_directory_is_not_followed(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("keep")
    (tmp_path / ".x.prom.new").symlink_to(other)
    (tmp_path / "x.prom").symlink_to(other)
    command._write(tmp_path / "x.prom", "text", 0o644)
    assert other.read_text() == "keep"
    assert (tmp_path / "x.prom").read_text() == "text" and not (tmp_path / "x.prom").is_symlink()


def test_the_program_says_how_it_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(["now"]) == 2
    assert re.match(r"usage: metrics\n", capsys.readouterr().err)


def test_the_last_backup_is_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = tmp_path / "backup.json"
    monkeypatch.setattr(backups, "RECORD", record)
    assert list(backups.metrics(None)) == []
    never = numbers(backups.metrics(24))
    assert never["mailstack_backup_good_timestamp_seconds"] == [0]
    assert never["mailstack_backup_interval_seconds"] == [86400] and never["mailstack_backup_failed"] == [0]
    found = {"good": 7, "checked": 5, "bytes": 2048, "seconds": 3, "failed": ["it is full"], "damaged": "x"}
    record.write_text(json.dumps(found))
    assert numbers(backups.metrics(6)) == {
        "mailstack_backup_interval_seconds": [21600],
        "mailstack_backup_good_timestamp_seconds": [7],
        "mailstack_backup_failed": [1],
        "mailstack_backup_mail_bytes": [2048],
        "mailstack_backup_seconds": [3],
        "mailstack_backup_checked_timestamp_seconds": [5],
        "mailstack_backup_damaged": [1],
    }
    record.write_text("[]")
    with pytest.raises(ValueError, match="has no result"):
        list(backups.metrics(6))
