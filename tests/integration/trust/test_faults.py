"""Where rspamd or Redis is away: mail waits, or flows; nothing is lost, and none leaves unsigned."""

from __future__ import annotations

import smtplib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from mailstack import Settings
from mailstack.facts.limits import SOCKET
from mailstack.facts.platform import RELEASES
from tests.support import clients, trust
from tests.support.deploys import run
from tests.support.sample_accounts import ALICE, BOB
from tests.support.sites import site, whole
from tests.support.trust import Protected, letter, signers
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

#: As it is to wait: at STARTTLS it is called 454.
WAIT = (451, 454)
#: In seconds. A client waits ten minutes for the answer to a message (RFC 5321, 4.5.3.2.6), but many less.
PATIENCE = 100


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


@contextmanager
def hanging(server: Target, unit: str) -> Iterator[None]:
    """Make a service hang: its sockets take questions, and nobody answers."""
    server.exec(f"systemctl kill -s STOP {unit}")
    try:
        yield
    finally:
        server.exec(f"systemctl kill -s CONT {unit}")


def answer_to(protected: Protected, *, port: int = 25) -> tuple[int, str]:
    """Return the answer to Alice, or to a stranger who pretends to be at a domain with p=reject."""
    user = ALICE if port != 25 else None
    sender = user or trust.somebody(trust.SILENT)
    mail = letter(user or trust.somebody(trust.REJECT), BOB)
    with clients.smtp(protected.server, port, user) as session:
        assert session.sock
        session.sock.settimeout(PATIENCE)
        try:
            session.send_message(mail, sender, [BOB])
        except smtplib.SMTPDataError as error:
            return error.smtp_code, str(error.smtp_error)
    return 250, str(mail["Message-ID"])


def test_while_redis_hangs_all_is_checked(protected: Protected) -> None:
    with hanging(protected.server, "redis-server@mailstack"):
        code, said = answer_to(protected)
        assert (code, "DMARC" in said) == (554, True), said
        code, message_id = answer_to(protected, port=587)
        assert code == 250, message_id
        assert signed(protected, message_id)


def test_what_can_not_be_checked_in_time_waits(protected: Protected) -> None:
    """Here the limit is short, and rspamd waits for Redis as long as it likes."""
    server, override = protected.server, "/etc/rspamd/override.d"
    server.write(
        f"{override}/worker-proxy.inc",
        b'timeout = 5; upstream "local" { default = yes; self_scan = yes; timeout = 5; }\n',
    )
    server.write(f"{override}/greylist.conf", f'redis {{ servers = "{SOCKET}"; timeout = 300; }}\n'.encode())
    try:
        server.exec("systemctl restart rspamd")
        with hanging(server, "redis-server@mailstack"):
            code, said = answer_to(protected)
            assert code == 451, said
    finally:
        server.exec(f"rm {override}/worker-proxy.inc {override}/greylist.conf; systemctl restart rspamd")


def test_while_the_resolver_hangs_strangers_wait(protected: Protected) -> None:
    with hanging(protected.server, "unbound"):
        code, said = answer_to(protected)
        assert code == 451, said
        code, message_id = answer_to(protected, port=587)
        assert code == 250, message_id
        assert signed(protected, message_id)


def test_while_redis_can_not_write_its_file_messages_count(protected: Protected) -> None:
    redis = f"redis-cli -s {SOCKET}"

    def counted() -> int:
        key = f"mailstack_sent_hour:{ALICE}"
        return int(protected.server.exec(f"{redis} hget {key} messages").stdout.strip() or 0)

    send(protected)
    before = counted()
    protected.server.exec(f"chown root:root /var/lib/redis; {redis} bgsave")
    try:
        failed = f"{redis} info persistence | grep -q rdb_last_bgsave_status:err"
        clients.eventually(
            lambda: protected.server.exec(failed, check=False).returncode == 0, "Redis writes its file"
        )
        send(protected)
        assert counted() == before + 1
    finally:
        protected.server.exec("chown redis:redis /var/lib/redis")


def test_a_restart_after_a_reload_waits_for_no_helper(protected: Protected) -> None:
    """It is a matter of luck whether the helper misses its signal; of four tries one does."""
    server = protected.server
    since = server.exec("date +@%s").stdout.strip()
    for pause in (0.2, 0.5, 1, 1.5):
        server.exec(f"systemctl reload rspamd; sleep {pause}; systemctl restart rspamd")
    # as rspamd says when it has waited to the end
    assert "terminate worker" not in server.exec(f"journalctl -u rspamd --since {since} -o cat").stdout


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
