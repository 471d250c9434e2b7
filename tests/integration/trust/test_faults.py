"""Where rspamd or Redis is away: mail waits, or flows; nothing is lost, and none leaves unsigned."""

from __future__ import annotations

import smtplib

import pytest

from mailstack import Settings
from mailstack.facts.platform import RELEASES
from tests.support import clients, trust
from tests.support.deploys import run
from tests.support.sample_accounts import ALICE, BOB
from tests.support.sites import site, whole
from tests.support.trust import Protected, letter, signers

pytestmark = pytest.mark.postgresql

#: As it is to wait: at STARTTLS it is called 454.
WAIT = (451, 454)


def send(protected: Protected) -> str:
    mail = letter(ALICE, BOB)
    return clients.send(protected.server, mail, sender=ALICE, port=587, user=ALICE)


def by_the_host(protected: Protected, message_id: str) -> None:
    """Send a message as a program of the host does."""
    text = f"Message-ID: {message_id}\nFrom: {ALICE}\nTo: {BOB}\nSubject: Of the host\n\nDone.\n"
    protected.server.exec(["sendmail", "-f", ALICE, BOB], input=text)


def signed(protected: Protected, message_id: str) -> bool:
    return signers(clients.received(protected.server, BOB, message_id)) != []


def test_without_rspamd_mail_waits(protected: Protected) -> None:
    protected.server.exec("systemctl stop rspamd")
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        send(protected)
    assert refused.value.smtp_code in WAIT
    with pytest.raises(smtplib.SMTPResponseException) as refused:
        sender = trust.somebody(trust.SILENT)
        clients.send(protected.server, letter(sender, BOB), sender=sender)
    assert refused.value.smtp_code in WAIT
    by_the_host(protected, "<waits@mail.example.org>")
    run(protected.server, trust.data())
    assert signed(protected, send(protected))
    # it makes pickup(8) look at all; without one, that looks once a minute
    by_the_host(protected, "<wakes@mail.example.org>")
    assert signed(protected, "<waits@mail.example.org>")


def test_a_killed_rspamd_comes_back(protected: Protected) -> None:
    protected.server.exec("systemctl kill -s KILL rspamd")

    def sent() -> str | None:
        try:
            return send(protected)
        except smtplib.SMTPResponseException as error:
            assert error.smtp_code in WAIT
            return None

    message_id = clients.eventually(sent, "rspamd did not come back", 60)
    assert message_id and signed(protected, message_id)


def test_without_redis_mail_flows(protected: Protected) -> None:
    protected.server.exec("systemctl stop redis-server@mailstack")
    try:
        assert signed(protected, send(protected))
        sender = trust.somebody(trust.REJECT)
        message_id = clients.send(protected.server, letter(sender, BOB), sender=sender)
        assert trust.folder_of(protected.server, BOB, message_id) == "INBOX"
    finally:
        protected.server.exec("systemctl start redis-server@mailstack")


def test_the_second_run_changes_nothing(protected: Protected) -> None:
    assert run(protected.server, trust.data()).changed == []


def test_a_configuration_that_rspamd_can_not_read_is_not_put_in_place(protected: Protected) -> None:
    path = "/etc/rspamd/override.d/options.inc"
    protected.server.exec(f"echo 'dns {{' > {path}")
    try:
        data = trust.data(mail_dkim_ed25519=False)
        refused = protected.server.pyinfra("-y", "deploy.py", data=data)
        assert refused.returncode
        written = protected.server.read("/etc/rspamd/local.d/dkim_signing.conf")
        assert b"mail_dkim_ed25519" not in written
    finally:
        protected.server.exec(f"rm {path}")


def test_what_it_declares_is_true(protected: Protected, debian: int) -> None:
    here = site(Settings.from_data(trust.data()))
    (platform,) = [release for release in RELEASES if release.debian == debian]
    probes = [probe for each in whole(here) for probe in each.probes(here, platform)]
    failed = [probe.title for probe in probes if protected.server.exec(probe.script, check=False).returncode]
    assert failed == []
    addresses = protected.server.exec("ss -Hltn | awk '{print $4}'").stdout.split()
    for_others = {
        int(each.rpartition(":")[2]) for each in addresses if not each.startswith(("127.", "[::1]"))
    }
    declared = {port.number for each in whole(here) for port in each.ports(here)}
    assert for_others - {22} == declared
