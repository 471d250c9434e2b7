"""Reports on TLS (RFC 8460): what this server tells others, and what it is told."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest

from mailstack.components.declarations import Record
from mailstack.facts import TlsReports
from mailstack.facts.tls_reports import TlsReport
from tests.support import clients, deploys, faults, trust
from tests.support.receiver import SELF_SIGNED, SERVER, WRONG, Receiver
from tests.support.sample_accounts import ALICE
from tests.support.trust import signers
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

SERVICE = "mailstack-tls-reports"
SOCKET = "/var/spool/postfix/mailstack/tlsrpt.sock"


@pytest.fixture(scope="module")
def reporting(receiver: Receiver, debian: int) -> Iterator[Receiver]:
    """Yield both, with reports on, where this Debian's Postfix can report."""
    data = trust.data(mail_smtp_tls_reports=True)
    run = receiver.sender.pyinfra("-y", "deploy.py", data=data)
    if debian == 12:
        assert run.returncode
        assert "mail_smtp_tls_reports: Postfix 3.7 of Debian 12 can't report" in run.stdout + run.stderr
    else:
        run.check()
        deploys.assert_converged(receiver.sender, data)
    yield receiver
    receiver.sender.pyinfra("-y", "deploy.py", data=trust.data()).check()


def asks_for_reports(domain: str) -> Record:
    return Record(f"_smtp._tls.{domain}", "TXT", '"v=TLSRPTv1; rua=mailto:tls@reports.example"')


def report_on(receiver: Receiver, domain: str) -> bytes:
    """Return the report of this server on a domain, which the peer gets."""
    grep = ["grep", "-rl", f"^TLS-Report-Domain: {domain}", "/srv/mail/inbox/new"]

    def came() -> list[str]:
        receiver.sender.exec(f"systemctl kill -s USR1 {SERVICE}")
        return receiver.peer.exec(grep, check=False).stdout.split()

    (path,) = clients.eventually(came, "no report came", 60)
    return receiver.peer.read(path)


def wait_in_vain(sender: Target) -> None:
    """Ask for reports while the database is away, and wait until the service says that they wait."""
    said = f"journalctl -o cat _SYSTEMD_INVOCATION_ID=$(systemctl show -P InvocationID {SERVICE})"
    faults.database(sender, "stop")
    try:
        sender.exec(f"systemctl kill -s USR1 {SERVICE}")
        clients.eventually(lambda: " wait: {'tls@" in sender.exec(said).stdout, "nothing waits", 60)
    finally:
        faults.database(sender, "start")


def read(receiver: Receiver) -> list[TlsReport]:
    """Return the reports in Alice's mailbox."""
    fact = TlsReports()
    return fact.answer(receiver.sender.exec(fact.command(ALICE)).stdout)


def test_what_goes_out_is_reported_and_what_comes_is_shown(reporting: Receiver, debian: int) -> None:
    if debian == 12:
        assert read(reporting) == []
        return
    reporting.use(SELF_SIGNED)
    domain, asks = "asks.example", [asks_for_reports("asks.example")]
    for tlsa in (WRONG, reporting.tlsa(SELF_SIGNED)):
        reporting.publish(domain, "reports.example", tlsa=[tlsa], more=asks, keep=True)
        message_id = reporting.send(domain)
        if tlsa == WRONG:
            reporting.waits(domain)
    reporting.arrives(message_id)
    # junk, from one that may write there; a restart; and a time when Postfix takes no mail
    write = "import socket, sys; socket.socket(1, 2).sendto(sys.argv[1].encode(), sys.argv[2])"
    for junk in ('{"d": [', '{"d": "aaa.example"}'):
        reporting.sender.exec(["runuser", "-u", "postfix", "--", "python3", "-c", write, junk, SOCKET])
    reporting.sender.exec(f"systemctl restart {SERVICE}")
    wait_in_vain(reporting.sender)
    text = report_on(reporting, domain)
    assert signers(text) == ["rsa1@mail.example.org", "ed1@mail.example.org"]
    mail = message_from_bytes(text, _class=EmailMessage, policy=policy.default)
    assert mail["Content-Type"].params["report-type"] == "tlsrpt"
    # the same mail, as if another had sent it
    clients.send(reporting.sender, mail, ALICE, sender="")
    found = clients.eventually(lambda: read(reporting), "the fact shows none", 60)
    assert {(each.domain, each.organization, each.policy) for each in found} == {
        (SERVER, "mail.example.org", "tlsa")
    }
    assert sum(each.succeeded for each in found) >= 1
    failures = [each.failures for each in found if each.failed]
    assert failures and set(failures[0]) == {"certificate-not-trusted"}


def test_nobody_else_reaches_it(reporting: Receiver, debian: int) -> None:
    shown = reporting.sender.exec(f"stat -c '%U %a' {SOCKET}", check=False).stdout
    assert shown == ("" if debian == 12 else "postfix 600\n")
