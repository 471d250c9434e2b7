"""Mail between two servers of different Debian releases that know each other by the DNS alone."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, dns, trust
from tests.support.releases import on_debian_12
from tests.support.sample_accounts import ALICE, BOB, CAROL
from tests.support.trust import Protected, fields, folder_of, letter, somebody, verdict
from tests.targets.containers import Target

# the other server has Debian 13: both sign, and each takes the other's mail
pytestmark = [pytest.mark.postgresql, on_debian_12]

HOSTNAME, DOMAIN, AMY, PASSWORD = "mail.a.example", "a.example", "amy@a.example", "amy's pass-word"
#: Filter and SRS are on by default. MariaDB lets in Postfix's system user and nobody else.
DATA = {
    "mail_db_engine": "mysql",
    "mail_db_auth": "peer",
    "mail_hostname": HOSTNAME,
    "mail_fail2ban": False,  # it would be installed for nothing
    "mail_domains": [DOMAIN],
    "mail_users": [{"email": AMY, "initial_password": PASSWORD, "senders": ["@late.example"]}],
    "mail_aliases": {f"on@{DOMAIN}": [CAROL], f"lost@{DOMAIN}": ["nobody@example.org"]},
}


@pytest.fixture(scope="module")
def other(protected: Protected, module_factory: Factory, debian: int) -> Iterator[Target]:
    """Yield a server of the other release, a bare host before; the shared one is `protected.server`."""
    beside = module_factory("other", hostname=HOSTNAME, debian=25 - debian)
    beside.pyinfra("-y", "deploy.py", data=DATA, timeout=900).check()
    deploys.assert_converged(beside, DATA)
    dns.use(beside, protected.dns)
    publish(protected, beside, DOMAIN)
    yield beside
    protected.serve("example.org", "example.com")


def publish(protected: Protected, other: Target, *domains: str) -> None:
    """Publish what both servers' pages say, with these domains of the other one."""
    protected.serve("example.org", "example.com", more=trust.published(other, HOSTNAME, *domains))


def send(other: Target, sender: str, recipient: str) -> str:
    """Send a letter of Amy's from the other server; return its Message-ID."""
    mail = letter(sender, recipient)
    with clients.smtp(other, 587) as session:
        clients.login(session, AMY, PASSWORD)
        session.send_message(mail, sender, [recipient])
    return str(mail["Message-ID"])


def test_all_checks_pass(protected: Protected, other: Target) -> None:
    message_id = send(other, AMY, ALICE)
    assert folder_of(protected.server, ALICE, message_id) == "INBOX"
    message = clients.received(protected.server, ALICE, message_id)
    assert fields(message, "Return-Path") == [f"<{AMY}>"]
    said = verdict(message)
    for passed in (
        f"dkim=pass header.d={DOMAIN} header.s=rsa1",
        f"dkim=pass header.d={DOMAIN} header.s=ed1",
        "spf=pass",
        "dmarc=pass",
    ):
        assert passed in said


def test_a_domain_of_a_minute_ago(protected: Protected, other: Target) -> None:
    clients.sql(other, "INSERT INTO mail_domain (domain_name) VALUES ('late.example')")
    publish(protected, other, DOMAIN, "late.example")
    message_id = send(other, "amy@late.example", ALICE)
    said = verdict(clients.received(protected.server, ALICE, message_id))
    assert "dkim=pass header.d=late.example" in said and "dmarc=pass" in said


def test_a_forged_author_is_refused(protected: Protected, other: Target) -> None:
    with pytest.raises(smtplib.SMTPDataError) as refused:
        clients.send(protected.server, letter(AMY, ALICE), sender=somebody(trust.SILENT))
    assert refused.value.smtp_code == 554


def test_what_is_forwarded_passes(protected: Protected, other: Target) -> None:
    mail = letter(ALICE, f"on@{DOMAIN}")
    clients.send(protected.server, mail, sender=ALICE, port=587, user=ALICE)
    message_id = str(mail["Message-ID"])
    assert folder_of(protected.server, CAROL, message_id) == "INBOX"
    message = clients.received(protected.server, CAROL, message_id)
    (path,) = fields(message, "Return-Path")
    assert path.startswith("<SRS0=") and path.endswith(f"@{HOSTNAME}>")
    said = verdict(message)
    for passed in ("spf=pass", "dkim=pass", "dmarc=pass", "arc=pass"):
        assert passed in said


def test_a_trusted_seal_counts_where_nothing_else_passes(protected: Protected, other: Target) -> None:
    # its domain has p=reject and signs nothing; SPF passes for the first server alone
    sender = somebody(trust.REJECT)
    message_id = clients.send(other, letter(sender, f"on@{DOMAIN}"), sender=sender)
    assert folder_of(protected.server, CAROL, message_id) == "INBOX"
    assert "arc=pass" in verdict(clients.received(protected.server, CAROL, message_id))


def test_the_bounce_of_what_is_forwarded_comes_home(protected: Protected, other: Target) -> None:
    mail = letter(BOB, f"lost@{DOMAIN}", "Where does this go?")
    clients.send(protected.server, mail, sender=BOB, port=587, user=BOB)

    def bounce() -> bool:
        with clients.imap(protected.server, BOB) as session:
            found = session.search(None, "FROM", '"MAILER-DAEMON"', "TEXT", f'"{mail["Message-ID"]}"')[1]
            return found != [b""]

    assert clients.eventually(bounce, "no bounce came", 60)
