"""Changes of services by hand: a run accepts them, or takes the service over and says so."""

from __future__ import annotations

import time

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.faults import master, postfix
from tests.targets.containers import Target


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server, on which an administrator works."""
    return module_clone("by-hand")


def state(host: Target, unit: str) -> str:
    """Return the state of the unit in systemd: active, inactive or failed."""
    return host.exec(["systemctl", "is-active", unit], check=False).stdout.strip()


def test_a_master_outside_of_its_unit_is_taken_over(host: Target) -> None:
    unit = postfix(host)
    host.exec("postfix stop 2>&1; sleep 1; postfix start </dev/null >/dev/null 2>&1")
    if host.debian == 13:  # `postfix` asks systemd to do it
        deploys.assert_mail_flows_again(host)
        deploys.assert_converged(host, sample_accounts.data())
        return
    host.exec(["systemctl", "start", unit])
    time.sleep(10)
    said = host.exec(["journalctl", "--boot", "-u", unit, "-o", "cat"]).stdout
    assert said.count("another master runs outside of this unit") == 1, "the unit does not try for ever"
    process = host.exec(["cat", "/var/lib/postfix/master.lock"]).stdout.strip()
    run = deploys.run(host, sample_accounts.data())
    assert f"postfix: stop process {process} (it runs outside of the unit), start" in deploys.said(run)
    assert state(host, unit) == "active"
    deploys.assert_mail_flows_again(host)
    deploys.assert_converged(host, sample_accounts.data())


def test_dovecot_s_master_is_taken_over_too(host: Target) -> None:
    host.exec("doveadm stop; sleep 1; dovecot </dev/null >/dev/null 2>&1")
    run = deploys.run(host, sample_accounts.data())
    (line,) = [line for line in deploys.said(run) if line.startswith("dovecot: stop process ")]
    assert line.endswith("(it runs outside of the unit), start")
    deploys.assert_mail_flows_again(host)
    deploys.assert_converged(host, sample_accounts.data())


@pytest.mark.parametrize("daemon", ["postfix", "dovecot", "database"])
def test_a_master_that_a_signal_has_stopped_is_restarted(host: Target, daemon: str) -> None:
    host.exec(f"kill -STOP {master(daemon)}")
    began = time.monotonic()
    run = deploys.run(host, sample_accounts.data(), timeout=120)
    print("run took", time.monotonic() - began)
    database = "mariadb" if sample_accounts.ENGINE == "mysql" else "postgresql"
    name = {"database": database}.get(daemon, daemon)
    assert f"{name}: restart (its master was stopped by a signal)" in deploys.said(run)
    deploys.assert_mail_flows_again(host)


def test_healing_may_be_switched_off(host: Target) -> None:
    """As docs/troubleshooting.md says."""
    recover = "mailstack-recover"
    host.exec(["systemctl", "mask", "--now", recover])
    host.exec(["systemctl", "mask", "mailstack-flush", "mailstack-retry@"])
    unit = postfix(host)
    host.exec(f"mkdir -p /etc/systemd/system/{unit}.service.d")
    host.write(f"/etc/systemd/system/{unit}.service.d/override.conf", b"[Service]\nRestart=no\n")
    host.exec("systemctl daemon-reload")
    again = deploys.run(host, sample_accounts.data())
    assert deploys.changed(again) == []
    assert deploys.said(again) == [
        f"{recover} is masked and left alone, until `systemctl unmask {recover}`",
    ]
    assert state(host, recover) == "inactive"
    # also when a run has something to do
    data = sample_accounts.data(mail_message_size_limit=20_000_000, mail_pop3=False)
    deploys.run(host, data)
    host.exec("systemctl reload dovecot")
    host.exec(f"kill -9 {master('postfix')}")
    time.sleep(20)
    assert state(host, unit) == "failed"
    host.exec(f"rm /etc/systemd/system/{unit}.service.d/override.conf")
    host.exec(["systemctl", "unmask", recover, "mailstack-flush", "mailstack-retry@"])
    run = deploys.run(host, sample_accounts.data())
    assert f"{recover}: start" in deploys.said(run)
    assert state(host, recover) == "active"
    clients.eventually(lambda: state(host, unit) == "active", "not started")


@pytest.mark.parametrize("unit", ["mailstack-flush", "mailstack-recover"])
def test_services_of_mailstack_may_be_started_often(host: Target, unit: str) -> None:
    """As when many mailboxes are converted. systemd alone allows five starts in ten seconds."""
    host.exec(f"for each in 1 2 3 4 5 6 7 8; do systemctl restart {unit} || exit; done", timeout=300)
    assert state(host, unit) == "active"
