"""The addresses on which daemons listen, and from which Postfix sends: a change takes effect at once."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.sample_accounts import ALICE, REMOTE, STRANGER
from tests.targets.containers import Target


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server, to which each test applies its settings."""
    return module_clone("listening")


@pytest.fixture(scope="module")
def ipv4_kernel(module_clone: Factory) -> Target:
    """Return a copy of the standard server in whose kernel there is no IPv6."""
    return module_clone("ipv4-kernel", ipv6=False)


def deploy(host: Target, **settings: Any) -> None:
    host.pyinfra("-y", "deploy.py", data=sample_accounts.data(**settings)).check()
    deploys.assert_converged(host, sample_accounts.data(**settings))


#: Of each daemon, a port that greets.
PORTS = (25, 587, 143, 4190)


def listens(host: Target, port: int = 25) -> dict[str, bool]:
    """Return whether the port answers, by IPv4, by IPv6, and by IPv4 within the host."""
    inside = host.exec(f"timeout 5 bash -c '</dev/tcp/127.0.0.1/{port}'", check=False).returncode == 0
    return {"IPv4": answers(host.ip, port), "IPv6": answers(host.ip6, port), "inside": inside}


def answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=5) as connection:
            return connection.recv(3) in (b"220", b"* O", b'"IM')
    except ConnectionRefusedError:
        return False


def sent_from(host: Target, peer: Target) -> str:
    """Return the peer's record of the source address of a message from the host."""
    message = clients.message("root@example.org", f"someone@{REMOTE}")
    host.exec(["sendmail", "-i", f"someone@{REMOTE}"], input=message.as_string())
    return clients.wait_at_peer(peer, str(message["Message-ID"])).decode().partition("Received: ")[2]


def database_listens(host: Target) -> set[str]:
    """Return the addresses where the database answers by TCP."""
    sockets = host.exec("ss -Htln '( sport = 5432 or sport = 3306 )'").stdout.splitlines()
    return {line.split()[3].rpartition(":")[0] for line in sockets}


def test_ipv4_only(host: Target, peer: Target) -> None:
    deploy(host, mail_inet_protocols="ipv4")
    for port in PORTS:
        assert listens(host, port) == {"IPv4": True, "IPv6": False, "inside": True}
    assert f"[{host.ip}])" in sent_from(host, peer)
    assert database_listens(host) == {"127.0.0.1"}


def test_ipv6_only(host: Target, peer: Target) -> None:
    deploy(host, mail_inet_protocols="ipv6")
    for port in PORTS:
        assert listens(host, port) == {"IPv4": False, "IPv6": True, "inside": False}
    assert f"[IPv6:{host.ip6}])" in sent_from(host, peer)


def test_the_host_itself_only(host: Target) -> None:
    deploy(host, mail_inet_interfaces=["loopback-only"])
    for port in PORTS:
        assert listens(host, port) == {"IPv4": False, "IPv6": False, "inside": True}


def test_one_address(host: Target) -> None:
    deploy(host, mail_inet_interfaces=[host.ip])
    for port in PORTS:
        assert listens(host, port) == {"IPv4": True, "IPv6": False, "inside": False}


def test_everywhere_which_is_the_default(host: Target, peer: Target) -> None:
    deploy(host)
    for port in PORTS:
        assert listens(host, port) == {"IPv4": True, "IPv6": True, "inside": True}
    for ipv6 in (False, True):
        assert clients.replies(host, ALICE, ipv6=ipv6) == 250
    assert sent_from(host, peer)


@pytest.mark.parametrize("interfaces", ["all", "loopback-only"])
def test_a_kernel_without_ipv6(ipv4_kernel: Target, interfaces: str) -> None:
    """It needs no setting, and no daemon logs a warning."""
    deploy(ipv4_kernel, mail_inet_interfaces=[interfaces])
    for port in PORTS:
        assert listens(ipv4_kernel, port) == {"IPv4": interfaces == "all", "IPv6": False, "inside": True}
    since = ipv4_kernel.exec("date +%s").stdout.strip()
    ipv4_kernel.exec("systemctl reset-failed; systemctl restart dovecot postfix")
    if interfaces == "all":
        deploys.assert_mail_flows(ipv4_kernel)
    journal = ipv4_kernel.exec(f"journalctl --since=@{since}").stdout
    assert "ddress family" not in journal and "IPv6" not in journal


def test_a_kernel_without_the_ipv6_that_is_asked_for(ipv4_kernel: Target) -> None:
    run = ipv4_kernel.pyinfra("-y", "deploy.py", data=sample_accounts.data(mail_inet_protocols="ipv6"))
    assert run.returncode != 0
    assert "mail_inet_protocols = 'ipv6': the kernel of this host has no IPv6" in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.postgresql
def test_postgresql_restarts_for_settings_that_need_it(host: Target) -> None:
    """It does not restart for changes of pg_hba.conf, nor for a setting that equals the default."""
    directory = "/etc/postgresql/*/main"

    def started() -> str:
        return host.exec("head -n 1 /var/lib/postgresql/*/main/postmaster.pid").stdout

    before = started()
    host.exec(f"echo '# more' | tee -a {directory}/pg_hba.conf; rm {directory}/conf.d/mailstack.conf")
    deploy(host)
    assert started() == before
    deploy(host, mail_db_port=5433)
    assert started() != before
    message_id = clients.send(host, clients.message(STRANGER, ALICE), ALICE)
    clients.received(host, ALICE, message_id)
