"""The examples whose host has no mailboxes: mail passes on to other servers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, dns, examples
from tests.support.sample_accounts import ALICE, HOSTNAME, STRANGER
from tests.targets.containers import Target

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.parametrize("debian", [12], ids=["debian12"], indirect=True),
]

RELAY = "smtp.example.net"


def test_send_only(factory: Factory, installed: str, others: Target, tmp_path: Path) -> None:
    host = factory("app", image=installed, hostname="app.example.org")
    _certify(others, host)
    others.exec("saslpasswd2 -p -c -u remote.example.net app", input="of the relay")
    example = examples.prepared(
        "send-only", tmp_path, {"app.example.org": host}, environment={"RELAY_PASSWORD": "of the relay"}
    )
    example.deploy()
    mail = clients.message("root@app.example.org", "root")
    host.exec(["/usr/sbin/sendmail", "root"], input=mail.as_string())
    arrived = clients.wait_at_peer(others, str(mail["Message-ID"])).decode()
    assert "Delivered-To: admin@example.org\n" in arrived
    assert "with ESMTPSA id" in arrived
    log = clients.log(host, rf"TLS connection established to {RELAY}")
    assert log and all(line.startswith("Verified") for line in log)
    with pytest.raises(ConnectionRefusedError):
        clients.replies(host, ALICE)
    assert example.deploy() == []


def _certify(relay: Target, host: Target) -> None:
    """Give the relay a certificate for its name that the host trusts."""
    relay.exec(
        "cd /etc/postfix; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30"
        f" -subj /CN={RELAY} -addext subjectAltName=DNS:{RELAY} -keyout relay.key -out relay.pem;"
        " postconf -e smtpd_tls_key_file=/etc/postfix/relay.key smtpd_tls_cert_file=/etc/postfix/relay.pem;"
        " postfix reload"
    )
    host.write("/usr/local/share/ca-certificates/relay.crt", relay.read("/etc/postfix/relay.pem"))
    host.exec("update-ca-certificates")


def test_own_project(factory: Factory, installed: str, names: Target, others: Target, tmp_path: Path) -> None:
    host = factory("own", image=installed)
    example = examples.prepared("own-project", tmp_path, {HOSTNAME: host})
    assert "Tools of ours" in example.deploy()
    dns.use(host, names)
    sent = clients.send(host, clients.message(STRANGER, "info@example.org"))
    arrived = clients.wait_at_peer(others, sent).decode()
    assert "Delivered-To: team@example.net\n" in arrived
    assert clients.replies(host, "unknown@example.org") == 550
    assert host.exec("systemctl is-active dovecot", check=False).stdout != "active\n"
    assert example.deploy() == []


def test_backup_mx(factory: Factory, installed: str, names: Target, others: Target, tmp_path: Path) -> None:
    host = factory("mx2", image=installed, hostname="mx2.example.org")
    example = examples.prepared("backup-mx", tmp_path, {"mx2.example.org": host})
    example.deploy()
    dns.use(host, names)
    others.exec("postfix stop")
    try:
        sent = clients.send(host, clients.message(STRANGER, ALICE))
        away = clients.eventually(
            lambda: [one for one in clients.queue(host) if "refused" in one], "not queued"
        )
        assert away[0].startswith(ALICE)
        assert clients.replies(host, "unknown@example.org") == 550
    finally:
        others.exec("postfix start")
    assert f"Delivered-To: {ALICE}\n" in clients.flush_to_peer(host, others, sent).decode()
    assert example.deploy() == []
