"""TLS as clients see it: who the server says it is, and what it does not let them agree on (RFC 9325)."""

from __future__ import annotations

import shlex

import pytest

from tests.integration import clients, world
from tests.targets.containers import Target

#: How s_client begins on each port.
PORTS = {
    25: "-starttls smtp",
    587: "-starttls smtp",
    465: "",
    143: "-starttls imap",
    993: "",
}
OLD = ["-tls1", "-tls1_1"]
#: No authentication, no forward secrecy, or long out of use. Debian builds OpenSSL without 3DES and SEED.
WEAK = ["aNULL", "kRSA", "CAMELLIA", "ARIA", "AESCCM8"]


def handshake(peer: Target, port: int, options: str) -> bool:
    """Whether s_client on the peer reaches an agreement with the server, at its own lowest security level."""
    command = f"openssl s_client -connect {world.HOSTNAME}:{port} {PORTS[port]} -brief {options} </dev/null"
    done = peer.exec(f"timeout 10 {command} 2>&1", check=False)
    if "CONNECTION ESTABLISHED" in done.stdout:
        return True
    # refused by the server, and not because the client could not even ask
    assert "alert" in done.stdout or "unexpected eof" in done.stdout or "verif" in done.stdout, done.stdout
    return False


@pytest.fixture(autouse=True)
def known(server: Target, peer: Target) -> None:
    """The peer knows the server."""
    clients.introduce(peer, server)


@pytest.mark.parametrize("port", PORTS)
def test_only_today_s_protocols(server: Target, peer: Target, port: int) -> None:
    old = {version: handshake(peer, port, f"{version} -cipher ALL:@SECLEVEL=0") for version in OLD}
    assert old == dict.fromkeys(OLD, False)
    assert handshake(peer, port, "-tls1_2")
    assert handshake(peer, port, "-tls1_3")


@pytest.mark.parametrize("port", PORTS)
def test_no_weak_ciphers(server: Target, peer: Target, port: int) -> None:
    def agrees(ciphers: str) -> bool:
        assert peer.exec(["openssl", "ciphers", "-s", "-tls1_2", f"{ciphers}:@SECLEVEL=0"]).stdout.strip()
        return handshake(peer, port, f"-tls1_2 -cipher {ciphers}:@SECLEVEL=0")

    assert {ciphers: agrees(ciphers) for ciphers in WEAK} == dict.fromkeys(WEAK, False)
    assert agrees("ECDHE+AESGCM")


@pytest.mark.parametrize("port", PORTS)
def test_the_certificate_is_the_server_s(server: Target, peer: Target, port: int) -> None:
    verify = f"-verify_return_error -CAfile {clients.CERTIFICATE} -verify_hostname "
    assert handshake(peer, port, verify + shlex.quote(world.HOSTNAME))
    assert not handshake(peer, port, verify + "other.example.org")
