"""The program that reads numbers on a host, and its component. No host is asked."""

from __future__ import annotations

import contextlib
import http.server
import json
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack import Settings
from mailstack.components.metrics import METRICS
from mailstack.facts.platform import RELEASES
from mailstack.files import File
from mailstack.on_host.metrics import gate, journal, spool
from mailstack.shell import script
from tests.support import alert_scenarios, prometheus
from tests.support.sites import site

ON = {"mail_hostname": "mail.example.org", "mail_metrics": True}
CLIENTS = ["192.0.2.7", "2001:db8::7"]

JOURNALCTL = """#!/bin/sh
echo "$*" >> "$0.asked"
case $* in *--after-cursor=bad*) echo "Failed to seek" >&2; exit 1 ;; esac
cat "$0.lines"
"""


@pytest.fixture
def journalctl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a program in the place of the real one; beside it are its lines, and what it was asked."""
    program = tmp_path / "journalctl"
    program.write_text(JOURNALCTL)
    program.chmod(0o755)
    monkeypatch.setattr(journal, "_READ", (str(program),))
    (tmp_path / "journalctl.lines").write_text("")
    return program


def say(journalctl: Path, *messages: object, at: float = 1000.0) -> None:
    """Let it have these lines, one each second from `at` on."""
    lines = [
        json.dumps(
            {
                "__CURSOR": f"c{number}",
                "__REALTIME_TIMESTAMP": str(int((at + number) * 1e6)),
                "SYSLOG_IDENTIFIER": "dovecot",
                "MESSAGE": message,
            }
        )
        for number, message in enumerate(messages)
    ]
    journalctl.with_name("journalctl.lines").write_text("".join(f"{line}\n" for line in lines))


def asked(journalctl: Path) -> str:
    return journalctl.with_name("journalctl.asked").read_text().splitlines()[-1]


def test_the_journal_is_read_from_where_the_last_run_stopped(journalctl: Path) -> None:
    kept: dict[str, Any] = {}
    taken: list[tuple[str, str]] = []

    def take(program: str, line: str) -> None:
        taken.append((program, line))

    say(journalctl, "long ago")
    assert journal.follow(kept, 1000, take) == 0
    assert (taken, kept["cursor"]) == ([], "c0") and "-n1" in asked(journalctl)
    say(journalctl, "a", [98, 255], None)
    assert journal.follow(kept, 1030, take) == 0
    assert taken == [("dovecot", "a"), ("dovecot", "b\ufffd"), ("dovecot", "")]
    assert "--after-cursor=c0" in asked(journalctl)
    # a broken last line, and none
    journalctl.with_name("journalctl.lines").write_text('{"__CURS')
    journal.follow(kept, 1060, take)
    assert "--after-cursor=c2" in asked(journalctl) and kept["cursor"] == "c2"
    # a day without a run: what happened meanwhile is not now
    say(journalctl, "old")
    journal.follow(kept, 90000, take)
    assert len(taken) == 3 and kept["cursor"] == "c0"
    # and a clock that was set back
    journal.follow(kept, 500, take)
    assert len(taken) == 3


def test_an_empty_journal_is_read_from_the_beginning(journalctl: Path) -> None:
    kept: dict[str, Any] = {}
    journal.follow(kept, 1000, lambda *_: None)
    journal.follow(kept, 1030, lambda *_: None)
    assert "--since=@1000" in asked(journalctl)


def test_a_run_reads_no_more_than_its_part(journalctl: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "LINES", 10)
    taken: list[str] = []
    kept = {"read": 1000, "cursor": "x", "since": 0}
    say(journalctl, *map(str, range(100)))
    assert journal.follow(kept, 1200, lambda _, line: taken.append(line)) == 191
    assert taken == list(map(str, range(10))) and kept["cursor"] == "c9"
    # what is too old to be of use is left out by the next run
    kept["read"] = 9000
    assert journal.follow(kept, 9001, lambda *_: None) > journal.FORGET
    journal.follow(kept, 9002, lambda *_: None)
    assert "-n1" in asked(journalctl)


def test_a_place_that_the_journal_does_not_know_is_forgotten(journalctl: Path) -> None:
    kept = {"read": 1000, "cursor": "bad", "since": 0}
    with pytest.raises(OSError, match="Failed to seek"):
        journal.follow(kept, 1030, lambda *_: None)
    journal.follow(kept, 1060, lambda *_: None)
    assert "-n1" in asked(journalctl)


def test_the_queue_is_read_from_its_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "SPOOL", tmp_path)
    files = {
        "deferred/A/A1": b"CO   300 T\x111000000000 123456A",
        "deferred/B/B1": b"no record",
        "active/C1": b"",
    }
    for name, content in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    counts, oldest = spool.metrics(1000000400)
    found = {(labels["queue"], labels["age"]): number for labels, number in counts.samples if number}
    assert found == {("deferred", "under_1h"): 1, ("deferred", "unknown"): 1, ("active", "unknown"): 1}
    assert [number for labels, number in oldest.samples if number] == [400]


@pytest.mark.parametrize(
    ("address", "may"),
    [
        ("192.0.2.7", True),
        ("::ffff:192.0.2.7", True),
        ("2001:db8::7", True),
        ("127.0.0.1", True),
        ("::ffff:127.0.0.1", True),
        ("::1", True),
        ("192.0.2.8", False),
        ("::ffff:192.0.2.8", False),
        ("fe80::7%eth0", False),
        # the host itself, by its own address
        ("192.0.2.25", True),
        ("::ffff:192.0.2.25", True),
    ],
)
def test_the_gate_knows_its_clients(address: str, may: bool) -> None:
    assert gate.may_enter(address, "::ffff:192.0.2.25", {gate.client_of(each) for each in CLIENTS}) is may


def test_users_of_the_host_do_not_shut_out_the_clients(
    exporter: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For this test 127.0.0.2 is a client, and 127.0.0.1 a user of the host."""
    monkeypatch.setattr(gate, "CONNECTIONS", 2)
    with gate.listener(0) as free:
        port = free.getsockname()[1]
    arguments = [str(exporter), str(port), "127.0.0.2"]
    threading.Thread(target=gate.main, args=(arguments,), daemon=True).start()

    def numbers(source: str) -> bytes:
        with socket.create_connection(("127.0.0.1", port), 60, (source, 0)) as client:
            client.sendall(b"GET / HTTP/1.0\r\n\r\n")
            return b"".join(iter(lambda: client.recv(4096), b""))

    end = time.monotonic() + 60
    while True:
        try:
            idle = [socket.create_connection(("127.0.0.1", port), 60) for _ in range(2)]
            break
        except ConnectionRefusedError:
            assert time.monotonic() < end
            time.sleep(0.05)
    try:
        with contextlib.suppress(ConnectionError):
            assert numbers("127.0.0.1") == b""
        assert b"mailstack_collection" in numbers("127.0.0.2")
    finally:
        for each in idle:
            each.close()


def test_a_client_that_ends_its_own_sending_gets_its_answer(exporter: int) -> None:
    here, there = socket.socketpair()
    free = threading.Semaphore(0)
    passing = threading.Thread(target=gate.passed_on, args=(there, exporter, free))
    passing.start()
    with here:
        here.settimeout(60)
        here.sendall(b"GET / HTTP/1.0\r\n\r\n")
        here.shutdown(socket.SHUT_WR)
        assert b"mailstack_collection" in b"".join(iter(lambda: here.recv(4096), b""))
    passing.join(60)
    assert free.acquire(timeout=60)


@pytest.mark.parametrize("platform", RELEASES)
def test_only_clients_open_a_port(platform: Any) -> None:
    def listens(**more: Any) -> tuple[list[str], list[tuple[int, tuple[str, ...]]], str]:
        here = site(Settings.from_data(ON | more))
        files = {each.path: each.content for each in METRICS.files(here, platform) if isinstance(each, File)}
        units = [port for unit in METRICS.units(here, platform) for port in unit.listens]
        return (
            units,
            [(port.number, port.clients) for port in METRICS.ports(here)],
            str(files["/usr/local/lib/systemd/system/mailstack-metrics-gate.service"]),
        )

    assert listens() == (["127.0.0.1:9100"], [], "None")
    units, ports, service = listens(mail_metrics_clients=CLIENTS, mail_metrics_port=9200)
    assert (units, ports) == (["127.0.0.1:9201", "9200"], [(9200, tuple(CLIENTS))])
    assert "metrics.gate 9201 9200 192.0.2.7 2001:db8::7\n" in service


def test_each_alert_has_a_scenario_and_one_is_for_a_host_without_any_numbers() -> None:
    """All others compare numbers, and are silent where there are none."""
    assert set(re.findall(r"- alert: (\w+)", prometheus.ALERTS)) == {
        *alert_scenarios.BAD,
        *alert_scenarios.LATE,
    }
    assert (
        'up{job="mailstack"} == 1 unless on (instance) mailstack_collection_timestamp_seconds'
        in prometheus.ALERTS
    )


@pytest.fixture
def exporter() -> Iterator[int]:
    """Yield the port of a server with new numbers."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(f"mailstack_collection_timestamp_seconds {time.time()}\n".encode())

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield server.server_port
        server.shutdown()
        thread.join()


def test_the_probe_asks_no_proxy(exporter: int) -> None:
    text = script("probe_metrics", str(exporter)).replace("+ 30", "+ 3")
    environment = {"PATH": "/usr/bin:/bin", "http_proxy": "http://127.0.0.1:1"}
    ran = subprocess.run(["sh"], input=text, capture_output=True, text=True, env=environment, timeout=60)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_it_is_off_by_default() -> None:
    here = site(Settings(mail_hostname="mail.example.org"))
    assert not METRICS.units(here, RELEASES[0]) and not METRICS.ports(here)
    assert not METRICS.packages(here, RELEASES[0]) and not METRICS.probes(here, RELEASES[0])


def test_without_clients_one_port_is_enough() -> None:
    assert Settings.from_data(ON | {"mail_metrics_port": 5431}).mail_metrics_port == 5431


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"mail_metrics_clients": ["0.0.0.0/0"]}, "mail_metrics_clients: '0.0.0.0/0'|allowed: a list of IP"),
        ({"mail_metrics_clients": ["prometheus.example.org"]}, "allowed: a list of IP addresses"),
        ({"mail_metrics_port": 25}, "mail_metrics_port = 25.*allowed: a TCP port, 1024 to 65534"),
        ({"mail_metrics_port": 4190}, "mail_metrics_port: 4190 is impossible"),
        ({"mail_metrics_port": 5431, "mail_metrics_clients": CLIENTS}, "the server needs 5432"),
        ({"mail_metrics": False, "mail_metrics_port": 9200}, "mail_metrics_port: needs mail_metrics = True"),
    ],
)
def test_impossible_settings_are_refused(data: dict[str, Any], said: str) -> None:
    with pytest.raises(OperationValueError, match=said):
        Settings.from_data(ON | data)
