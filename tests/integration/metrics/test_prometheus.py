"""Debian's Prometheus reads the numbers of a server, and alerts; others read nothing."""

from __future__ import annotations

import contextlib
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import KEEP
from tests.support import alert_scenarios, clients, deploys, logins, prometheus, sample_accounts
from tests.support.releases import on_debian_13
from tests.support.sample_accounts import ALICE, CAROL, STRANGER
from tests.support.watched import Watched, value
from tests.targets import networks
from tests.targets.containers import Target
from tests.targets.networks import Network
from tests.targets.pyinfra import run_pyinfra
from tests.targets.shell import TargetError

pytestmark = pytest.mark.postgresql

EXPORTER = "prometheus-node-exporter"
STATE = "/var/lib/mailstack-metrics/state.json"
CONFIGURATION = "/etc/mailstack/metrics.json"


PROGRAM = "PYTHONPATH=/usr/local/lib/mailstack/on_host"
LATER = "import time; from metrics import spool; print(*next(spool.metrics(time.time() + 2 * 86400)).samples)"


@pytest.fixture(scope="module")
def watched(network: Network, debian: int, deployed: str) -> Iterator[Watched]:
    """Yield a server that was deployed, and then deployed again with metrics."""
    server = Target(f"{networks.WORKER_NAME}-metrics-{debian}", debian, network)
    host = prometheus.server(f"{networks.WORKER_NAME}-prometheus-{debian}", network, keep=KEEP)
    both = Watched(server, host)
    try:
        if not (KEEP and server.running()):
            server.create(deployed)
        server.pyinfra("-y", "deploy.py", data=both.data(), timeout=900).check()
        prometheus.watch(host, server.ip)
        yield both
    finally:
        if not KEEP:
            server.remove()
            host.remove()


def test_a_second_run_changes_nothing(watched: Watched) -> None:
    deploys.assert_converged(watched.server, watched.data())


#: What comes of two messages, a wrong address, and two wrong passwords.
COUNTED = {
    ("received_messages", "from", "strangers"): 1,
    ("received_messages", "from", "users"): 1,
    ("received_messages", "from", "this_host"): 0,
    ("deliveries", "status", "sent"): 2,
    ("deliveries", "to", "mailboxes"): 2,
    ("refusals", "answer", "never"): 1,
    ("refusals", "reason", "unknown_recipient"): 1,
    ("logins", "result", "ok"): 3,
    ("logins", "result", "failed"): 2,
    ("logins", "service", "imap"): 3,
    ("logins", "service", "smtp"): 2,
}


def counted(text: str) -> dict[tuple[str, str, str], float]:
    """Return these numbers."""
    return {key: value(text, f"mailstack_{key[0]}_total", **{key[1]: key[2]}) for key in COUNTED}


def test_mail_and_logins_are_counted_once(watched: Watched) -> None:
    server, before = watched.server, counted(watched.numbers())
    wanted = {key: before[key] + more for key, more in COUNTED.items()}
    clients.received(server, ALICE, clients.send(server, clients.message(STRANGER, ALICE)))
    own = clients.message(ALICE, ALICE)
    clients.received(server, ALICE, clients.send(server, own, sender=ALICE, port=587, user=ALICE))
    assert clients.replies(server, "nobody@example.org") == 550
    assert not logins.logged_in("imap", server, ALICE, "wrong")
    assert not logins.logged_in("smtp", server, ALICE, "wrong")
    with contextlib.suppress(TimeoutError):  # the last line of a session comes after its answer
        clients.eventually(lambda: counted(watched.numbers()) == wanted, "", 60)
    assert counted(watched.numbers()) == wanted


def test_prometheus_has_them(watched: Watched) -> None:
    for labels in ('{from="strangers"}', '{from="users"}'):
        clients.eventually(
            lambda labels=labels: sum(  # type: ignore[misc]
                prometheus.query(watched.prometheus, f"mailstack_received_messages_total{labels}")
            ),
            f"no messages {labels}",
            60,
        )


def test_all_that_the_files_ask_is_there(watched: Watched) -> None:
    shown = prometheus.names(
        "\n".join(re.sub(r"[{ ].*", "", line) for line in watched.numbers().splitlines())
    )
    expressions = prometheus.expressions()
    asked = prometheus.names(
        "\n".join([*expressions, prometheus.ALERTS, json.dumps(prometheus.DASHBOARD["templating"])])
    )
    assert asked - shown == set()
    # and the other way round: nothing is shown that no file uses
    assert {name for name in shown if name.startswith("mailstack_")} - asked == set()
    for expression in expressions:
        prometheus.query(watched.prometheus, expression)  # raises an error if it is none


def test_the_queue_is_shown_by_age(watched: Watched) -> None:
    server = watched.server
    server.exec("postconf -e defer_transports=lmtp && postfix reload")
    try:
        clients.send(server, clients.message(STRANGER, ALICE))
        clients.eventually(
            lambda: (
                value(watched.numbers(), "mailstack_queue_messages", queue="deferred", age="under_5m") == 1
            ),
            "no message waits",
            60,
        )
        assert 0 < value(watched.shown(), "mailstack_queue_oldest_seconds", queue="deferred") < 300
        # the same message, two days later
        found = server.exec(["env", PROGRAM, "python3", "-c", LATER]).stdout
        assert "({'queue': 'deferred', 'age': 'over_1d'}, 1.0)" in found
    finally:
        server.exec("postconf -e defer_transports= && postfix reload")

        def sent() -> bool:
            return not server.exec("postqueue -f; postqueue -j").stdout

        clients.eventually(sent, "the message is not delivered", 60)


def test_no_label_is_the_address_of_a_user(watched: Watched) -> None:
    text = watched.numbers()
    assert [line for line in text.splitlines() if "alice" in line or "@example" in line] == []


def test_a_stopped_service_fires_an_alert(watched: Watched) -> None:
    firing = 'ALERTS{alertstate="firing",alertname="MailServiceDown",service="postfix"}'
    assert prometheus.query(watched.prometheus, firing) == []
    watched.server.exec("systemctl stop postfix")
    try:
        watched.numbers()
        clients.eventually(lambda: prometheus.query(watched.prometheus, firing), "no alert", 60)
    finally:
        watched.server.exec("systemctl start postfix")
    watched.numbers()
    clients.eventually(lambda: not prometheus.query(watched.prometheus, firing), "the alert stays", 60)


# the numbers are those of the backup itself
@on_debian_13
def test_a_backup_is_shown_and_one_that_fails_fires_an_alert(watched: Watched) -> None:
    server, firing = watched.server, 'ALERTS{alertstate="firing",alertname="MailBackupFailed"}'
    server.exec("systemctl start mailstack-backup", timeout=300)
    text = watched.numbers()
    now = value(text, "mailstack_collection_timestamp_seconds")
    assert 0 <= now - value(text, "mailstack_backup_good_timestamp_seconds") < 120
    assert value(text, "mailstack_backup_checked_timestamp_seconds") > 0
    assert value(text, "mailstack_backup_mail_bytes") > 0 and value(text, "mailstack_backup_failed") == 0
    assert prometheus.query(watched.prometheus, firing) == []
    server.exec("mv /srv/backup /srv/away")
    try:
        assert server.exec("systemctl start mailstack-backup", check=False, timeout=300).returncode
        assert value(watched.numbers(), "mailstack_backup_failed") == 1
        clients.eventually(lambda: prometheus.query(watched.prometheus, firing), "no alert", 60)
    finally:
        server.exec("mv /srv/away /srv/backup")
    server.exec("systemctl start mailstack-backup", timeout=300)
    watched.numbers()
    clients.eventually(lambda: not prometheus.query(watched.prometheus, firing), "the alert stays", 60)


# Prometheus is the same for a server of either release
@on_debian_13
def test_each_alert_fires_for_its_fault_alone(watched: Watched) -> None:
    names = re.findall(r"- alert: (\w+)", prometheus.ALERTS)
    assert names == [*alert_scenarios.BAD, *alert_scenarios.LATE]
    watched.prometheus.write("/tmp/alerts.yml", prometheus.ALERTS.encode())
    tests = alert_scenarios.promtool_tests("alerts.yml")
    for name, text in tests.items():
        watched.prometheus.write(f"/tmp/{name}", text.encode())
    command = f"cd /tmp && promtool check rules alerts.yml && promtool test rules {' '.join(tests)}"
    watched.prometheus.exec(command, timeout=300)


@contextlib.contextmanager
def state(watched: Watched) -> Iterator[dict[str, Any]]:
    """Yield the state of the collection, to change it."""
    watched.server.exec("systemctl stop mailstack-metrics.timer")
    try:
        watched.numbers()
        kept = json.loads(watched.server.read(STATE))
        yield kept
        watched.server.write(STATE, json.dumps(kept).encode())
    finally:
        watched.server.exec("systemctl start mailstack-metrics.timer")


def test_a_part_that_fails_is_named_and_the_others_stay(watched: Watched) -> None:
    configuration = watched.server.read(CONFIGURATION)
    watched.server.write(CONFIGURATION, b'{"disks": {"mail": "/var/vmail"}}')
    try:
        with state(watched) as kept:
            kept["counted"]["logins imap ok"] = 7000
            kept["journal"]["cursor"] = "s=nonsense"
        text = watched.numbers()
    finally:
        watched.server.write(CONFIGURATION, configuration)
    assert value(text, "mailstack_collection_failed", part="journal") == 1
    assert value(text, "mailstack_collection_failed", part="services") == 1
    assert value(text, "mailstack_collection_failed") == 2
    assert value(text, "mailstack_logins_total", service="imap", result="ok") == 7000
    assert value(text, "mailstack_disk_size_bytes", of="mail") > 0
    # the next one begins anew at the end of the journal
    assert value(watched.numbers(), "mailstack_collection_failed") == 0


def test_full_mailboxes_are_counted(watched: Watched) -> None:
    server = watched.server
    clients.sql(server, f"UPDATE mail_users SET quota_mb = 1 WHERE email = '{ALICE}'")
    try:
        large = clients.message(STRANGER, ALICE, body="x" * 70 + "\n")
        large.set_content(("x" * 70 + "\n") * 13500)
        clients.received(server, ALICE, clients.send(server, large))
        with state(watched) as kept:
            kept["quota"] = {}
            server.exec("rm -f /var/lib/mailstack-metrics/users")

        def complete() -> bool:
            return value(watched.numbers(), "mailstack_quota_timestamp_seconds") > 0

        clients.eventually(complete, "not all mailboxes were looked at", 120)
        text = watched.shown()
        assert [value(text, "mailstack_quota_users", percent=each) for each in ("80", "90")] == [1, 1]
        # a user who never had mail has no directory after it either
        assert server.exec(["test", "-e", clients.home(server, CAROL)], check=False).returncode == 1
    finally:
        clients.sql(server, f"UPDATE mail_users SET quota_mb = NULL WHERE email = '{ALICE}'")
        server.exec(["doveadm", "expunge", "-u", ALICE, "mailbox", "INBOX", "all"])


def test_nobody_else_reads_them(watched: Watched, peer: Target) -> None:
    ask = (
        "import socket, sys; s = socket.create_connection((sys.argv[1], 9100), 10); s.settimeout(10)\n"
        "s.sendall(b'GET /metrics HTTP/1.0\\r\\n\\r\\n'); print(len(s.recv(100)))"
    )
    for address in (watched.server.ip, watched.server.ip6):
        # closed, or reset
        assert peer.exec(["python3", "-c", ask, address], check=False).stdout in ("0\n", "")
        assert watched.server.exec(["python3", "-c", ask, address]).stdout == "100\n"
    assert prometheus.query(watched.prometheus, "up") == [1.0]
    with pytest.raises(OSError), socket.create_connection((watched.server.ip, 9101), 5):
        pass


@on_debian_13
def test_the_probe_finds_a_server_without_numbers(watched: Watched) -> None:
    probe = Path(prometheus.FILES.parent / "shell" / "probe_metrics.sh").read_text()
    watched.numbers()
    watched.server.exec(f"set -- 9100\n{probe}")
    watched.server.exec("systemctl stop prometheus-node-exporter")
    try:
        with pytest.raises(TargetError, match="does not answer"):
            watched.server.exec(f"set -- 9100\n{probe}")
    finally:
        watched.server.exec("systemctl start prometheus-node-exporter")


@on_debian_13
def test_without_clients_it_is_on_loopback(watched: Watched) -> None:
    data = watched.data(mail_metrics_clients=[])
    deploys.run(watched.server, data)
    deploys.assert_converged(watched.server, data)
    with pytest.raises(OSError), socket.create_connection((watched.server.ip, 9100), 5):
        pass
    assert value(watched.numbers(), "mailstack_service_up", service="postfix") == 1
    assert watched.server.exec("ss -Hltn 'sport = :9100' | awk '{print $4}'").stdout == "127.0.0.1:9100\n"
    deploys.run(watched.server, watched.data())


@on_debian_13
def test_switched_off_nothing_of_it_runs(watched: Watched) -> None:
    server, off = watched.server, sample_accounts.data()
    units = "mailstack-metrics.timer mailstack-metrics.service mailstack-metrics-gate " + EXPORTER
    deploys.run(server, off)
    deploys.assert_converged(server, off)
    assert set(server.exec(f"systemctl is-active {units}", check=False).stdout.split()) == {"inactive"}
    assert server.exec("ss -Hltn 'sport = :9100 or sport = :9101'").stdout == ""
    # one of the administrator's goes on
    server.exec(f"systemctl enable --now {EXPORTER}")
    deploys.assert_converged(server, off)
    server.exec(f"systemctl is-active {EXPORTER}")


def test_the_files_are_written_without_a_host(tmp_path: Path) -> None:
    run = run_pyinfra("@local", "-y", "mailstack.metrics.files", str(tmp_path / "new")).check()
    assert {path.name for path in (tmp_path / "new").iterdir()} == {
        "mailstack-alerts.yml",
        "mailstack-dashboard.json",
        "mailstack-scrape.yml",
    }
    assert str(tmp_path / "new" / "mailstack-alerts.yml") in run.stdout
