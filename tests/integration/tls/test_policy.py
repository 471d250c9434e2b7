"""TLS security levels for another server, with a trusted certificate or not."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.sample_accounts import ALICE, REMOTE
from tests.targets.containers import Target


@pytest.fixture(scope="module")
def sender(module_clone: Factory) -> Target:
    """Return a server that does not trust the peer's certificate, which the peer has signed itself."""
    return module_clone("tls-policy")


def deploy(server: Target, policy: str) -> None:
    data = sample_accounts.data(mail_smtp_tls_policy={REMOTE: policy})
    server.pyinfra("-y", "deploy.py", data=data).check()
    deploys.assert_converged(server, data)


def trust(server: Target, peer: Target) -> None:
    """Make the peer's certificate one that the host trusts, as an administrator would."""
    server.write("/usr/local/share/ca-certificates/peer.crt", peer.read("/etc/postfix/cert.pem"))
    server.exec("update-ca-certificates")


def send(server: Target) -> str:
    mail = clients.message(ALICE, f"someone@{REMOTE}")
    with clients.smtp(server, 465, ALICE) as session:
        session.send_message(mail)
    return str(mail["Message-ID"])


def waits(server: Target) -> str:
    """Return the reason why mail waits, and delete it."""
    said = clients.eventually(
        lambda: [line for line in clients.queue(server) if "on its way" not in line], "nothing waits"
    )
    server.exec("postsuper -d ALL")
    return said[0]


@pytest.mark.parametrize("level", ["may", "encrypt", "dane"])
def test_any_certificate_is_accepted(sender: Target, peer: Target, level: str) -> None:
    """Without DNSSEC records, `dane` is `may`."""
    deploy(sender, level)
    copy = clients.wait_at_peer(peer, send(sender))
    assert b"TLSv1.3" in copy


def test_a_certificate_must_be_trusted_and_have_the_name(sender: Target, peer: Target) -> None:
    deploy(sender, "secure")
    send(sender)
    assert "not verified" in waits(sender) or "not trusted" in waits(sender)
    deploy(sender, "dane-only")
    send(sender)
    assert "TLSA" in waits(sender)
    trust(sender, peer)
    for level in ("secure", "verify"):
        deploy(sender, level)
        assert b"TLSv1.3" in clients.wait_at_peer(peer, send(sender))
    deploy(sender, "secure match=other.example.net")
    send(sender)
    assert "not verified" in waits(sender)


def test_without_tls_nothing_is_sent(sender: Target, peer: Target) -> None:
    try:
        peer.exec("postconf -e smtpd_tls_security_level=none && postfix reload")
        deploy(sender, "encrypt")
        send(sender)
        assert "TLS is required" in waits(sender)
        deploy(sender, "may")
        assert b"TLSv1" not in clients.wait_at_peer(peer, send(sender))
    finally:
        peer.exec("postconf -e smtpd_tls_security_level=may && postfix reload")
