"""TLS as clients see it: the server's certificate, and the versions and suites that it refuses (RFC 9325)."""

from __future__ import annotations

import shlex

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.targets.containers import Target

#: How s_client begins on each port.
PORTS = {
    25: "-starttls smtp",
    587: "-starttls smtp",
    465: "",
    143: "-starttls imap",
    993: "",
    4190: "-starttls sieve",
}
OLD = ["-tls1", "-tls1_1"]
#: All that TLS 1.2 may be used with: AEAD, and ephemeral keys over elliptic curves (RFC 9325, 4.2). Which of
#: these a server can agree on depends on the kind of its key.
GOOD = {
    f"ECDHE-{key}-{cipher}"
    for key in ("ECDSA", "RSA")
    for cipher in ("AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-GCM-SHA256")
} | {"ECDHE-ECDSA-AES256-CCM", "ECDHE-ECDSA-AES128-CCM"}


def handshake(peer: Target, port: int, options: str) -> str:
    """Return the cipher suite that s_client on the peer agrees on with the server, or nothing."""
    server = f"{sample_accounts.HOSTNAME}:{port} {PORTS[port]}"
    command = f"openssl s_client -connect {server} -brief {options} </dev/null"
    done = peer.exec(f"timeout 60 {command} 2>&1", check=False)
    if "CONNECTION ESTABLISHED" in done.stdout:
        return done.stdout.partition("Ciphersuite: ")[2].split()[0]
    # refused by the server, and not because the client could not even ask
    assert "alert" in done.stdout or "unexpected eof" in done.stdout or "verif" in done.stdout, done.stdout
    return ""


def accepted(peer: Target, port: int) -> list[str]:
    """Return every suite of TLS 1.2 that server and peer share, in the server's order."""
    found: list[str] = []
    while suite := handshake(
        peer, port, "-tls1_2 -cipher " + ":!".join(["ALL:COMPLEMENTOFALL:@SECLEVEL=0", *found])
    ):
        found.append(suite)
    return found


def listed(server: Target, ciphers: str) -> set[str]:
    """Return the suites of a cipher list on the server, for TLS 1.2 (ciphers(1))."""
    command = ["openssl", "ciphers", "-s", "-tls1_2", ciphers.strip()]
    return set(server.exec(command).stdout.strip().split(":"))


@pytest.fixture(autouse=True)
def known(server: Target, peer: Target) -> None:
    """Make the peer know the server."""
    clients.introduce(peer, server)


@pytest.mark.parametrize("port", PORTS)
def test_only_current_protocols(server: Target, peer: Target, port: int) -> None:
    old = {version: handshake(peer, port, f"{version} -cipher ALL:@SECLEVEL=0") for version in OLD}
    assert old == dict.fromkeys(OLD, "")
    assert handshake(peer, port, "-tls1_2")
    assert handshake(peer, port, "-tls1_3")


@pytest.mark.parametrize("port", PORTS)
def test_only_good_ciphers_and_the_server_chooses(server: Target, peer: Target, port: int) -> None:
    found = accepted(peer, port)
    assert found == ["ECDHE-ECDSA-AES256-GCM-SHA384", "ECDHE-ECDSA-CHACHA20-POLY1305", *found[2:]]
    assert set(found) == {name for name in GOOD if "ECDSA" in name}
    worst_first = ":".join(reversed(found))
    assert handshake(peer, port, f"-tls1_2 -cipher {worst_first}") == found[0]


@pytest.mark.parametrize("port", PORTS)
def test_keys_over_elliptic_curves_in_tls_1_3_too(server: Target, peer: Target, port: int) -> None:
    groups = ("X25519", "P-256", "ffdhe2048", "ffdhe3072")
    agreed = {group: bool(handshake(peer, port, f"-tls1_3 -groups {group}")) for group in groups}
    assert agreed == {"X25519": True, "P-256": True, "ffdhe2048": False, "ffdhe3072": False}


def test_the_configured_suites_are_good_with_a_key_of_any_kind(server: Target) -> None:
    """The running server has one key, and offers only the suites for that kind."""
    said = server.exec(
        "postconf -hx tls_high_cipherlist smtpd_tls_ciphers smtpd_tls_exclude_ciphers; "
        "doveconf -h ssl_cipher_list"
    )
    grade, level, excluded, of_dovecot = said.stdout.splitlines()
    assert level == "high"
    # as tls_set_ciphers of Postfix makes one of them
    of_postfix = ":!".join([grade, *excluded.replace(",", " ").split()])
    assert (listed(server, of_postfix), listed(server, of_dovecot)) == (GOOD, GOOD)


def test_port_25_may_take_old_ciphers(clone: Factory, peer: Target) -> None:
    server = clone("old-ciphers")
    server.pyinfra("-y", "deploy.py", data=sample_accounts.data(mail_tls_old_ciphers=True)).check()
    clients.introduce(peer, server)
    old = "-tls1_2 -cipher ECDHE+AES:DHE+AES:!AESGCM:!AESCCM:@SECLEVEL=0"
    assert {port: handshake(peer, port, old) for port in PORTS} == {
        **dict.fromkeys(PORTS, ""),
        25: "ECDHE-ECDSA-AES256-SHA384",
    }
    weak = "-tls1_2 -cipher aNULL:kRSA:CAMELLIA:ARIA:AESCCM8:@SECLEVEL=0"
    assert not handshake(peer, 25, weak)
    assert handshake(peer, 25, "-tls1_2") == "ECDHE-ECDSA-AES256-GCM-SHA384"


@pytest.mark.parametrize("port", PORTS)
def test_the_certificate_is_the_server_s(server: Target, peer: Target, port: int) -> None:
    verify = f"-verify_return_error -CAfile {clients.CERTIFICATE} -verify_hostname "
    assert handshake(peer, port, verify + shlex.quote(sample_accounts.HOSTNAME))
    assert not handshake(peer, port, verify + "other.example.org")
