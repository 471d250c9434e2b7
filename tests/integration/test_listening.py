"""Where Postfix listens, and over what it sends: a change of that takes effect at once."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from tests.integration import clients, converge, world
from tests.integration.conftest import Factory
from tests.integration.world import ALICE, REMOTE, STRANGER
from tests.targets.containers import Target


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """A copy of the standard server; each test sets it anew."""
    return module_clone("listening")


def deploy(host: Target, **settings: Any) -> None:
    host.pyinfra("-y", "deploy.py", data=world.data(**settings)).check()
    converge.assert_converged(host, world.data(**settings))


def listens(host: Target, port: int = 25) -> dict[str, bool]:
    """Whether the port answers, by IPv4, by IPv6, and by IPv4 within the host."""
    inside = host.exec(f"timeout 5 bash -c '</dev/tcp/127.0.0.1/{port}'", check=False).returncode == 0
    return {"IPv4": answers(host.ip, port), "IPv6": answers(host.ip6, port), "inside": inside}


def answers(address: str, port: int) -> bool:
    try:
        with socket.create_connection((address, port), timeout=5) as connection:
            return connection.recv(3) == b"220"
    except ConnectionRefusedError:
        return False


def sent_from(host: Target, peer: Target) -> str:
    """The peer's record of whence a message came that the host sent."""
    message = clients.message("root@example.org", f"someone@{REMOTE}")
    host.exec(["sendmail", "-i", f"someone@{REMOTE}"], input=message.as_string())
    return clients.wait_at_peer(peer, str(message["Message-ID"])).decode().partition("Received: ")[2]


def test_ipv4_only(host: Target, peer: Target) -> None:
    deploy(host, mail_inet_protocols="ipv4")
    assert listens(host) == {"IPv4": True, "IPv6": False, "inside": True}
    assert f"[{host.ip}])" in sent_from(host, peer)


def test_ipv6_only(host: Target, peer: Target) -> None:
    deploy(host, mail_inet_protocols="ipv6")
    assert listens(host) == {"IPv4": False, "IPv6": True, "inside": False}
    assert f"[IPv6:{host.ip6}])" in sent_from(host, peer)


def test_the_host_itself_only(host: Target) -> None:
    deploy(host, mail_inet_interfaces=["loopback-only"])
    for port in (25, 587):
        assert listens(host, port) == {"IPv4": False, "IPv6": False, "inside": True}


def test_one_address(host: Target) -> None:
    deploy(host, mail_inet_interfaces=[host.ip])
    assert listens(host) == {"IPv4": True, "IPv6": False, "inside": False}


def test_everywhere_which_is_the_default(host: Target, peer: Target) -> None:
    deploy(host)
    assert listens(host) == {"IPv4": True, "IPv6": True, "inside": True}
    for ipv6 in (False, True):
        assert clients.replies(host, ALICE, ipv6=ipv6) == 250
    assert sent_from(host, peer)


@pytest.mark.postgresql
def test_postgresql_starts_anew_where_its_settings_want_that(host: Target) -> None:
    """And not for who may connect, nor where ours say what is so by default."""
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
