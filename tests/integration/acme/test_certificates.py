"""Certificates from a CA: from the first one to its renewal, and what goes wrong on the way."""

from __future__ import annotations

import json
import smtplib
import socket
import ssl
from contextlib import suppress
from typing import Any

import pytest
from cryptography import x509

from mailstack.components.declarations import Record
from tests.integration.acme.conftest import Certified
from tests.support import ca, clients, dns, sample_accounts
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

pytestmark = pytest.mark.postgresql

HOSTNAME = sample_accounts.HOSTNAME
STATE = "/var/lib/mailstack/certificates.json"


def state(target: Target) -> dict[str, dict[str, Any]]:
    """Return what the host says of its certificates."""
    found: dict[str, dict[str, Any]] = json.loads(target.read(STATE))
    return found


def certificate(der: bytes) -> x509.Certificate:
    """Return a certificate as it was sent."""
    return x509.load_der_x509_certificate(der)


def served(target: Target, port: int) -> x509.Certificate:
    """Return the certificate that a service shows to a client."""
    if port in (25, 587):
        with smtplib.SMTP(target.ip, port, timeout=clients.TIMEOUT) as session:
            session.starttls(context=clients.tls())
            assert isinstance(session.sock, ssl.SSLSocket)
            return certificate(session.sock.getpeercert(binary_form=True) or b"")
    pem = ssl.get_server_certificate((target.ip, port), timeout=clients.TIMEOUT)
    return x509.load_pem_x509_certificate(pem.encode())


def on_disk(target: Target, name: str = "cert.pem") -> x509.Certificate:
    """Return a certificate of the host."""
    return x509.load_pem_x509_certificate(target.read(f"/etc/ssl/mailstack/{name}"))


PORTS = (25, 465, 587, 993, 443)


def assert_served(target: Target) -> None:
    """Assert that every service shows the certificate that is on disk, as soon as it has reloaded."""
    wanted = on_disk(target).serial_number

    def all_show_it() -> bool:
        with suppress(OSError):  # of a service that just reloads
            return {served(target, port).serial_number for port in PORTS} == {wanted}
        return False

    clients.eventually(all_show_it, "a service shows another certificate", 60)


def is_of_ca(found: x509.Certificate) -> bool:
    """Return whether it is not self-signed."""
    return found.issuer != found.subject


def test_a_first_deploy_before_the_dns_is_right(first: tuple[Target, PyinfraRun]) -> None:
    server, run = first
    said = run.stdout + run.stderr
    assert f"no new certificate for {HOSTNAME}: " in said
    assert "the server works with a self-signed one" in said
    assert not is_of_ca(served(server, 993))
    assert clients.replies(server, sample_accounts.ALICE) == 250


def test_it_gets_certificates_once_the_dns_is_right(certified: Certified) -> None:
    server = certified.server
    before = server.read("/etc/ssl/mailstack/key.pem")
    # the host waits, but as the DNS was the reason, a deploy does not
    run = certified.deploy()
    assert is_of_ca(on_disk(server)), run.stdout + run.stderr
    certified.look()
    assert_served(server)
    # so a TLSA record of before is right still
    assert server.read("/etc/ssl/mailstack/key.pem") == before
    names = on_disk(server, "domains/example.org/cert.pem").extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert sorted(names.value.get_values_for_type(x509.DNSName)) == [
        "autoconfig.example.org",
        "autodiscover.example.org",
        "mta-sts.example.org",
    ]
    listed = server.exec("find /etc/ssl/mailstack -name '*.pem' -path '*key*' -printf '%m %u\n' | sort -u")
    assert listed.stdout == "600 root\n"
    fact = server.pyinfra("--json", "fact", "mailstack.facts.AcmeState").check().stdout
    assert '"mta-sts.example.com"' in fact and '"problems": {}' in fact


def test_a_second_run_changes_nothing(certified: Certified) -> None:
    certified.deploy()
    run = certified.deploy()
    assert run.changed == []
    assert "no new certificate" not in run.stdout + run.stderr


STARTED = "systemctl show -P LastTriggerUSec mailstack-certificates.timer"
#: Sooner than in some minutes. An empty value forgets all of before.
OFTEN = "[Timer]\nOnBootSec=\nOnActiveSec=1s\nOnUnitInactiveSec=3s\nRandomizedDelaySec=0\nAccuracySec=1s\n"


def often(target: Target, settings: str) -> None:
    """Make the timer go by other settings too, or no longer."""
    place = "/run/systemd/system/mailstack-certificates.timer.d"
    target.exec(f"rm -rf {place}; mkdir -p {place}")
    target.write(f"{place}/often.conf", settings.encode())
    target.exec("systemctl daemon-reload; systemctl restart mailstack-certificates.timer")


def test_a_certificate_is_renewed_in_time(certified: Certified) -> None:
    server = certified.server
    try:
        ca.start(certified.ca, certified.dns, validity=20)
        # the CA has forgotten the account, too
        server.exec("rm /etc/ssl/mailstack/cert.pem")
        said = certified.look()
        first = on_disk(server).serial_number
        assert (on_disk(server).not_valid_after_utc - on_disk(server).not_valid_before_utc).seconds < 60, said
        ca.start(certified.ca, certified.dns)
        before = server.exec(STARTED).stdout
        often(server, OFTEN)
        clients.eventually(lambda: on_disk(server).serial_number != first, "not renewed", 180)
        assert server.exec(STARTED).stdout != before, "it was not the timer"
        assert_served(server)
    finally:
        often(server, "")
        ca.start(certified.ca, certified.dns)
        certified.look()


def test_while_the_ca_is_away_the_old_one_stays(certified: Certified) -> None:
    server = certified.server
    before = on_disk(server).serial_number
    certified.ca.exec("systemctl stop pebble")
    try:
        clients.sql(server, "INSERT INTO mail_domain (domain_name) VALUES ('new.example')")
        certified.serve("new.example")
        certified.look()
        entry = state(server)["new.example"]
        assert entry["error"] == f"mail_acme_server = '{ca.DIRECTORY}' gives no answer: Connection refused"
        assert entry["failures"] == 1
        pause = entry["next"]
        server.exec("systemctl start mailstack-certificates", timeout=300)
        assert state(server)["new.example"]["next"] == pause, "it waits"
        assert "new.example" in server.exec("/usr/local/lib/mailstack/certificates check", check=False).stdout
        assert on_disk(server).serial_number == before
    finally:
        ca.start(certified.ca, certified.dns)
    said = certified.look()
    assert state(server)["new.example"]["error"] is None, said
    assert is_of_ca(on_disk(server, "domains/new.example/cert.pem"))
    clients.sql(server, "DELETE FROM mail_domain WHERE domain_name = 'new.example'")
    certified.look()
    assert "new.example" not in state(server)
    assert server.exec("/usr/local/lib/mailstack/certificates check", check=False).returncode == 0


def test_a_name_that_is_wrong_in_the_dns_spoils_no_other(certified: Certified) -> None:
    server = certified.server
    clients.sql(server, "INSERT INTO mail_domain (domain_name) VALUES ('half.example')")
    elsewhere = (Record("mta-sts.half.example", "A", "203.0.113.9"),)
    host = (Record("autoconfig.half.example", "CNAME", f"{HOSTNAME}."),)
    try:
        certified.serve(more=elsewhere + host)
        certified.look()
        entry = state(server)["half.example"]
        assert entry["names"] == ["autoconfig.half.example"]
        assert entry["problems"] == {
            "autodiscover.half.example": "has no address in the DNS",
            "mta-sts.half.example": "has the address 203.0.113.9, which is not one of this host",
        }
        certified.serve("half.example")
        said = certified.look()
        assert len(state(server)["half.example"]["names"]) == 3, said
    finally:
        clients.sql(server, "DELETE FROM mail_domain WHERE domain_name = 'half.example'")
        certified.serve()
        certified.look()


def test_a_killed_run_is_made_good(certified: Certified) -> None:
    server = certified.server
    server.exec("rm /etc/ssl/mailstack/cert.pem /etc/ssl/mailstack/domains/example.com/cert.pem")
    server.exec(
        "systemctl start --no-block mailstack-certificates; sleep 3; "
        "systemctl kill -s KILL mailstack-certificates"
    )
    # as a power loss may leave it
    account = "find /etc/ssl/mailstack/acme/accounts -name regr.json"
    assert server.exec(account).stdout
    server.exec(f"{account} -exec truncate -s 0 {{}} +")
    said = certified.look()
    assert is_of_ca(on_disk(server)), said
    assert is_of_ca(on_disk(server, "domains/example.com/cert.pem")), said
    assert_served(server)
    assert server.exec("ls -A /etc/ssl/mailstack").stdout.split() == [
        "acme",
        "cert.pem",
        "domains",
        "key.pem",
        "next.pem",
    ]


def test_roll_uses_the_next_key(certified: Certified) -> None:
    server = certified.server
    following = server.read("/etc/ssl/mailstack/next.pem")
    roll = ("-y", "--json", "mailstack.certificates.roll")
    again = server.pyinfra(*roll, data={**DATA, "mail_acme_server": ca.DIRECTORY})
    assert again.check().changed == [], "it is younger than a day"
    server.pyinfra(*roll, "now=True", data={**DATA, "mail_acme_server": ca.DIRECTORY}).check()
    assert server.read("/etc/ssl/mailstack/key.pem") == following
    assert server.read("/etc/ssl/mailstack/next.pem") != following
    assert is_of_ca(on_disk(server))
    assert_served(server)


def with_rsa(target: Target, port: int) -> x509.Certificate:
    """Return the certificate that a service shows to a client that knows RSA alone."""
    context = clients.tls()
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES256-GCM-SHA384")
    with (
        socket.create_connection((target.ip, port), clients.TIMEOUT) as plain,
        context.wrap_socket(plain) as session,
    ):
        return certificate(session.getpeercert(binary_form=True) or b"")


def test_by_the_dns_and_with_rsa_beside(certified: Certified) -> None:
    """And for a name that leads to another host: by HTTP the CA would not find the file."""
    server = certified.server
    clients.sql(server, "INSERT INTO mail_domain (domain_name) VALUES ('far.example')")
    by_dns = {"mail_acme_challenge": "dns-01", "mail_dns_server": certified.dns.ip, **dns.UPDATES}
    far = Record("mta-sts.far.example", "A", "203.0.113.9")
    try:
        with certified.zones("example.org", "far.example", more=(far,)):
            run = certified.deploy(**by_dns, mail_acme_rsa=True, mail_acme_propagation=2)
            said = certified.look()
        assert dns.UPDATES["mail_dns_key_secret"] not in run.stdout + run.stderr + said
        assert state(server)["far.example"]["names"] == ["mta-sts.far.example"], said
        rsa = on_disk(server, "rsa-cert.pem")
        assert is_of_ca(rsa)

        def all_show_it() -> bool:
            with suppress(OSError):
                return all(with_rsa(server, port) == rsa for port in (465, 993, 443))
            return False

        clients.eventually(all_show_it, "another one for RSA", 60)
        assert_served(server)
        mode = server.exec("stat -c '%a %U' /etc/mailstack/certificates-dns.ini").stdout
        assert mode == "600 root\n"
    finally:
        clients.sql(server, "DELETE FROM mail_domain WHERE domain_name = 'far.example'")
        certified.deploy()


def test_without_mail_acme_the_ca_is_asked_no_more(certified: Certified) -> None:
    server = certified.server
    before = server.read("/etc/ssl/mailstack/cert.pem")
    without = sample_accounts.data(mail_resolver=True)
    try:
        run = server.pyinfra("-y", "--json", "deploy.py", data=without, timeout=900).check()
        assert (
            f"the certificate of {HOSTNAME} is of a CA, and stays until it expires" in run.stderr + run.stdout
        )
        shown = server.exec("systemctl show -P ActiveState mailstack-certificates.timer").stdout
        assert shown == "inactive\n"
        assert server.exec("ls /etc/systemd/system/timers.target.wants").stdout.count("certificates") == 0
        assert server.exec("ls /usr/local/lib/mailstack/certificates", check=False).returncode
        again = server.pyinfra("-y", "--json", "deploy.py", data=without, timeout=900).check()
        assert again.changed == []
        assert server.read("/etc/ssl/mailstack/cert.pem") == before
    finally:
        certified.deploy()
    shown = server.exec("systemctl show -P ActiveState mailstack-certificates.timer").stdout
    assert shown == "active\n"


DATA = {"mail_hostname": HOSTNAME, "mail_acme": True, "mail_acme_email": "admin@example.net"}
