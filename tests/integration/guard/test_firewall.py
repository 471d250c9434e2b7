"""The firewall: what it opens, what it leaves alone, and a run that would lock itself out."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

import pytest

from mailstack.components.firewall import FIREWALL
from mailstack.facts.platform import RELEASES
from mailstack.settings import Settings
from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.support.sites import site
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

#: Other programs listen there: open for all, for this machine's IPv4 address, for others, for nobody.
OPEN, FOR_US, FOR_OTHERS, CLOSED = 8080, 8081, 8082, 8083
MAIL = (25, 143, 465, 587, 993, 4190)
PROGRAM = "/usr/local/lib/mailstack/firewall"


def settings(target: Target, **more: Any) -> dict[str, Any]:
    us = str(next(ip_network(target.network.subnet).hosts()))
    ports: list[Any] = [
        OPEN,
        {"port": FOR_US, "clients": [us]},
        {"port": FOR_OTHERS, "clients": ["192.0.2.0/24"]},
    ]
    return sample_accounts.data(mail_firewall=True, mail_firewall_ports=ports, **more)


def deploy(target: Target, data: dict[str, Any]) -> PyinfraRun:
    """Deploy by SSH: a firewall has no effect on Docker's connector."""
    return target.pyinfra("-y", "--json", "deploy.py", data=data, connector="ssh", timeout=300)


@pytest.fixture(scope="module")
def guarded(module_clone: Factory) -> Iterator[Target]:
    """Yield a server with the firewall, on which other programs listen, and which has rules of others."""
    target = module_clone("firewall")
    listen(target)
    target.exec("nft -v >/dev/null || apt-get install -qy --no-install-recommends nftables", timeout=300)
    target.exec(
        "nft add table inet theirs; nft add chain inet theirs c '{ type filter hook input priority 5; }'"
    )
    deploy(target, settings(target)).check()
    yield target


def listen(target: Target) -> None:
    for port in (OPEN, FOR_US, FOR_OTHERS, CLOSED):
        target.exec(f"systemd-run --quiet systemd-socket-activate --inetd -a -l {port} echo")


def reached(target: Target, port: int, *, ipv6: bool = False) -> bool:
    """Return whether this machine can connect; without that, it is told so at once."""
    try:
        socket.create_connection((target.ip6 if ipv6 else target.ip, port), clients.TIMEOUT).close()
    except ConnectionRefusedError:
        return False
    return True


def open_ports(target: Target, *more: int, ipv6: bool = False) -> set[int]:
    ports = {*MAIL, OPEN, FOR_US, FOR_OTHERS, CLOSED, 22, *more}
    return {port for port in ports if reached(target, port, ipv6=ipv6)}


def eventually_open(target: Target, *wanted: int) -> None:
    expected = {*MAIL, OPEN, FOR_US, *wanted}
    asked = (2222, 2223)
    clients.eventually(lambda: open_ports(target, *asked) == expected, f"not open: {sorted(expected)}", 60)


def tables(target: Target) -> list[str]:
    return target.exec("nft list tables").stdout.splitlines()


def test_other_hosts_reach_the_declared_ports_and_ssh_alone(guarded: Target) -> None:
    assert open_ports(guarded) == {*MAIL, 22, OPEN, FOR_US}
    assert open_ports(guarded, ipv6=True) == {*MAIL, 22, OPEN}
    mail = clients.message(sample_accounts.STRANGER, sample_accounts.ALICE)
    clients.send(guarded, mail)
    with clients.imap(guarded, sample_accounts.ALICE) as session:
        assert clients.wait_for_mail(session, mail["Message-ID"])


def test_a_second_run_changes_nothing(guarded: Target) -> None:
    assert deploy(guarded, settings(guarded)).check().changed == []


def test_rules_of_others_stay(guarded: Target) -> None:
    before = [table for table in tables(guarded) if table != "table inet mailstack"]
    assert "table inet theirs" in before
    guarded.exec("systemctl restart mailstack-firewall")
    assert [table for table in tables(guarded) if table != "table inet mailstack"] == before


def test_a_table_that_somebody_changed_is_loaded_again(guarded: Target) -> None:
    guarded.exec(f"nft insert rule inet mailstack input tcp dport {CLOSED} accept")
    assert reached(guarded, CLOSED)
    assert deploy(guarded, settings(guarded)).check().changed == ["Mail server | Finish"]
    assert not reached(guarded, CLOSED)


def test_a_run_that_would_lock_itself_out_takes_its_rules_back(guarded: Target) -> None:
    before = guarded.exec("nft -s list table inet mailstack").stdout
    run = deploy(guarded, settings(guarded, mail_firewall_ssh_clients=["192.0.2.1"]))
    assert run.returncode == 1 and "Traceback" not in run.stderr
    assert "no new connection gets through" in run.stderr and "mail_firewall_ssh_clients" in run.stderr
    assert guarded.exec("nft -s list table inet mailstack").stdout == before
    guarded.exec("systemctl restart mailstack-firewall")  # as at boot
    assert reached(guarded, 22)
    assert (
        guarded.exec("systemctl is-active mailstack-firewall-back.timer", check=False).stdout == "inactive\n"
    )
    assert deploy(guarded, settings(guarded)).check().changed  # the file of the rules
    assert deploy(guarded, settings(guarded)).check().changed == []


def test_a_host_takes_rules_back_if_the_run_is_cut(guarded: Target) -> None:
    guarded.exec(
        f"sed 's/--on-active=60/--on-active=15/' {PROGRAM} > /root/firewall; chmod +x /root/firewall"
    )
    guarded.exec("cp /etc/mailstack/firewall.nft /root/; sed -i '/@ssh/d' /etc/mailstack/firewall.nft")
    guarded.exec("/root/firewall try")
    assert not reached(guarded, 22) and reached(guarded, 25)
    eventually_open(guarded, 22)
    late = guarded.exec([PROGRAM, "keep"], check=False)
    assert late.returncode == 1 and "too late" in late.stderr
    guarded.exec("cp /root/firewall.nft /etc/mailstack/firewall.nft")
    assert guarded.exec([PROGRAM, "state"]).stdout == ""


def test_another_port_of_sshd_is_opened(guarded: Target) -> None:
    guarded.exec("echo Port 2222 > /etc/ssh/sshd_config.d/port.conf; systemctl restart ssh")
    eventually_open(guarded, 2222)
    socket_unit = "/etc/systemd/system/ssh.socket.d/port.conf"
    guarded.exec(f"mkdir -p {socket_unit.rpartition('/')[0]}")
    guarded.write(socket_unit, b"[Socket]\nListenStream=\nListenStream=2223\n")
    guarded.exec("systemctl daemon-reload; systemctl disable --now ssh; systemctl enable --now ssh.socket")
    eventually_open(guarded, 2223)
    guarded.exec(f"rm {socket_unit} /etc/ssh/sshd_config.d/port.conf; systemctl daemon-reload")
    guarded.exec("systemctl disable --now ssh.socket; systemctl stop ssh; systemctl enable --now ssh")
    eventually_open(guarded, 22)


def test_it_is_there_after_a_boot_and_before_the_network(guarded: Target) -> None:
    guarded.stop()
    guarded.start()
    listen(guarded)
    eventually_open(guarded, 22)
    order = guarded.exec("systemctl show -p Before --value mailstack-firewall").stdout.split()
    assert "network-pre.target" in order
    assert guarded.exec("systemctl --failed --no-legend --plain").stdout == ""
    assert deploy(guarded, settings(guarded)).check().changed == []


def test_a_flush_by_debians_own_service_is_followed(guarded: Target) -> None:
    guarded.exec(
        "grep -q 'flush ruleset' /etc/nftables.conf; systemctl start nftables; systemctl reload nftables"
    )
    clients.eventually(lambda: not reached(guarded, CLOSED), "its rules are not loaded again", 60)
    guarded.exec("systemctl stop nftables")
    clients.eventually(lambda: reached(guarded, CLOSED), "rules are left", 60)
    guarded.exec("systemctl start nftables")
    clients.eventually(lambda: not reached(guarded, CLOSED), "its rules do not come back", 60)
    guarded.exec("systemctl stop nftables")
    clients.eventually(lambda: reached(guarded, CLOSED), "rules are left", 60)
    assert deploy(guarded, settings(guarded)).check().changed == ["Mail server | Run services"]
    assert not reached(guarded, CLOSED)


def test_switched_off_it_leaves_nothing(guarded: Target, debian: int) -> None:
    guarded.exec("nft add table inet theirs")
    off = sample_accounts.data()
    deploy(guarded, off).check()
    assert reached(guarded, CLOSED)
    assert "table inet theirs" in tables(guarded) and "table inet mailstack" not in tables(guarded)
    here = site(Settings.from_data(off))
    for entry in FIREWALL.files(here, RELEASES[debian - 12]):
        assert guarded.exec(["ls", "-d", entry.path], check=False).stdout == ""
    assert guarded.exec("systemctl cat ssh nftables | grep mailstack", check=False).stdout == ""
    assert deploy(guarded, off).check().changed == []
