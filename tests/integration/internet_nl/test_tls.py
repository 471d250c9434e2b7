"""The rows of internet.nl's mail test about TLS, one test for each: `docs/deliverability.md` has the table.

The lists are those of its version 1.11, from NCSC's guidelines of 2025-05. Ports of users are held to the
same.
"""

from __future__ import annotations

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from tests.support import clients, tls_hello
from tests.support.tls_hello import TLS1_2, TLS1_3, accepted, ask
from tests.targets.containers import Target

PORTS = (25, 465, 587, 993)
pytestmark = pytest.mark.parametrize("port", PORTS)

#: "good" and "sufficient"; all others fail, or are to be phased out.
GOOD_1_3 = {0x1302, 0x1303}
SUFFICIENT_1_3 = {0x1301, 0x1304}
#: ECDHE with AEAD, for keys of RSA and ECDSA.
SUFFICIENT = {0xCCA8, 0xCCA9, 0xC02B, 0xC02C, 0xC02F, 0xC030, 0xC0AC, 0xC0AD}
#: All of ECDHE and of DHE that use one of AES, for a certificate of either kind.
DHE = (
    *range(0x0011, 0x001B),
    *range(0x0032, 0x0035),
    *range(0x0038, 0x003B),
    *range(0x0067, 0x006E),
    0x9E,
    0x9F,
)
#: P-256, P-384, P-521, X25519, X448, Brainpool; and hybrids with ML-KEM, which the test does not know yet.
GOOD_GROUPS = {23, 24, 25, 26, 27, 28, 29, 30, 31, 32, 33, 0x11EB, 0x11EC, 0x11ED}
#: How a session ends.
GOODBYE = {993: "a LOGOUT"}


#: What s_client prints once nothing more comes by itself: the end of its own words, or the greeting.
READY = {465: "^220 ", 993: "^[*] OK "}


def s_client(server: Target, port: int, options: str, said: str) -> str:
    """Return what `openssl s_client`, on the server itself, prints after it has said this."""
    starttls = "-starttls smtp" if port in (25, 587) else ""
    command = f"openssl s_client -connect {server.ip}:{port} {starttls} {options}"
    talk = f"""cd $(mktemp -d); mkfifo in; timeout 60 {command} <in >out 2>&1 & exec 3>in
until grep -Eq '{READY.get(port, "Verify return code")}' out || ! kill -0 $! 2>/dev/null; do sleep 0.1; done
printf '{said}' >&3; exec 3>&-; wait; cat out"""
    return server.exec(["bash", "-c", talk], check=False, timeout=90).stdout


def test_starttls_on_each_mx(server: Target, port: int) -> None:
    for address in (server.ip, server.ip6):
        answer = ask(address, port, version=TLS1_3)
        assert answer.version == TLS1_3


def test_tls_versions(server: Target, port: int) -> None:
    versions = [tls_hello.SSL3, tls_hello.TLS1, tls_hello.TLS1_1, TLS1_2, TLS1_3]
    answers = {version: ask(server.ip, port, version=version).version for version in versions}
    assert answers == dict.fromkeys(versions[:3], 0) | {TLS1_2: TLS1_2, TLS1_3: TLS1_3}


def test_ciphers(server: Target, port: int) -> None:
    found = set(accepted(server.ip, port, TLS1_2))
    assert found and found <= SUFFICIENT
    found = set(accepted(server.ip, port, TLS1_3))
    assert found and found <= GOOD_1_3 | SUFFICIENT_1_3


def test_cipher_order(server: Target, port: int) -> None:
    for version in (TLS1_2, TLS1_3):
        order = accepted(server.ip, port, version)
        assert order == accepted(server.ip, port, version, backwards=True)
    assert order[0] in GOOD_1_3


def test_key_exchange(server: Target, port: int) -> None:
    for version in (TLS1_2, TLS1_3):
        answers = {group: ask(server.ip, port, version=version, groups=[group]) for group in tls_hello.GROUPS}
        groups = {group for group, answer in answers.items() if answer}
        assert groups and groups <= GOOD_GROUPS
        assert all(answers[group].group == group for group in groups)
    assert not ask(server.ip, port, suites=DHE)


def test_hash_of_key_exchange(server: Target, port: int) -> None:
    """The row is about port 25. Dovecot's OpenSSL still takes SHA-224, which is to be phased out."""
    both = (*tls_hello.WEAK_SIGNATURES, *tls_hello.SIGNATURES)
    assert ask(server.ip, port, signatures=both).signature in tls_hello.SIGNATURES
    weak = [each for each in tls_hello.WEAK_SIGNATURES if port != 993 or each >> 8 < 3]
    assert not ask(server.ip, port, signatures=weak)
    assert not ask(server.ip, port, version=TLS1_3, signatures=tls_hello.WEAK_SIGNATURES)


def test_no_compression(server: Target, port: int) -> None:
    answer = ask(server.ip, port, compression=(1, 0))
    assert answer and answer.compression == 0


def test_secure_renegotiation(server: Target, port: int) -> None:
    assert ask(server.ip, port).extensions[tls_hello.RENEGOTIATION] == b"\0"


def test_no_renegotiation_by_clients(server: Target, port: int) -> None:
    said = s_client(server, port, "-tls1_2", "R\\n")
    assert "RENEGOTIATING" in said and "no renegotiation" in said


def test_extended_master_secret(server: Target, port: int) -> None:
    assert ask(server.ip, port).has_extended_master_secret


def test_no_early_data(server: Target, port: int) -> None:
    said = s_client(server, port, "-tls1_3 -ign_eof", f"{GOODBYE.get(port, 'QUIT')}\\r\\n")
    assert "New, TLSv1.3" in said
    assert said.count("Max Early Data: ") == said.count("Max Early Data: 0\n")


def certificate(server: Target, port: int) -> x509.Certificate:
    with tls_hello.connect(server.ip, port) as plain, clients.tls().wrap_socket(plain) as connection:
        found = connection.getpeercert(binary_form=True)
    assert found
    return x509.load_der_x509_certificate(found)


def test_key_of_the_certificate(server: Target, port: int) -> None:
    key = certificate(server, port).public_key()
    if isinstance(key, rsa.RSAPublicKey):
        assert key.key_size >= 3072
    else:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        assert key.curve.name in ("secp256r1", "secp384r1", "secp521r1")


def test_signature_of_the_certificate(server: Target, port: int) -> None:
    digest = certificate(server, port).signature_hash_algorithm
    assert digest and digest.name in ("sha256", "sha384", "sha512")
