"""Failed services recover by themselves when the cause ends; no accepted mail is lost."""

from __future__ import annotations

import imaplib
import time
from contextlib import suppress

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.faults import dovecot_away, master, postfix
from tests.support.numbered_traffic import ROOM, watch
from tests.support.sample_accounts import ALICE, BOB, STRANGER
from tests.targets.containers import Target

#: Seconds until all is well, and the queue empty, after Dovecot is back; with room for a loaded machine.
BACK, EMPTY = 5 * ROOM, 15 * ROOM


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server, whose daemons die."""
    return module_clone("healing")


def test_the_service_starts_with_postfix(host: Target) -> None:
    host.exec("systemctl stop postfix; systemctl start postfix")
    recovers = ["systemctl", "is-active", "mailstack-recover"]
    clients.eventually(lambda: host.exec(recovers, check=False).returncode == 0, "not started")
    deploys.assert_mail_flows_again(host)


@pytest.mark.parametrize("seconds", [5, 60])
def test_mail_waits_for_dovecot_and_no_longer(host: Target, seconds: int) -> None:
    """This includes a full queue, which qmgr(8) keeps back for a destination that it calls dead."""
    with watch(host) as watching:
        host.exec("systemctl stop dovecot.socket dovecot.service 2>&1")
        with clients.smtp(host) as session:
            for _ in range(100):
                session.send_message(clients.message(STRANGER, BOB), STRANGER, [BOB])
        # now, as they are delivered once Dovecot starts; one that moves between queues may not be listed
        clients.eventually(lambda: len(clients.queue(host)) >= 100, "not queued")
        back = dovecot_away(host, seconds)
        clients.wait_for_empty_queue(host, EMPTY)
        empty = time.monotonic() - back
        # logins too: master(8) throttles a service whose processes exited because Dovecot was down
        watching.recovered(back, BACK)
        watching.report(f"Dovecot away for {seconds} s (queue empty after {empty:.1f} s)", host, back)


def test_mail_waits_for_nothing_but_dovecot(host: Target) -> None:
    """Dovecot's LMTP answers but fails: in this test, because it may not write."""
    host.exec("chmod 0 /var/vmail")
    try:
        clients.send(host, clients.message(STRANGER, BOB))
        clients.eventually(lambda: clients.log(host, "status=deferred.*said: 451"), "not deferred")
        time.sleep(20)
    finally:
        host.exec("chmod 750 /var/vmail")
    clients.wait_for_empty_queue(host, EMPTY)


def test_dovecot_s_auth_is_killed_under_traffic(host: Target) -> None:
    for _ in range(3):
        with watch(host) as watching:
            host.exec("kill -9 $(pidof auth)")
            killed = time.monotonic()
            time.sleep(5)
            clients.wait_for_empty_queue(host, EMPTY)
            watching.recovered(killed + 5, BACK)
            watching.report("auth killed", host, killed)


def test_mail_for_other_servers_waits_for_qmgr(host: Target) -> None:
    """It also waits when Dovecot starts and the mail for Dovecot is delivered."""
    elsewhere = "someone@elsewhere.example"
    host.exec("postconf -e 'relayhost = [127.0.0.1]:9'; postfix reload 2>&1")

    def attempts() -> int:
        return len(clients.log(host, f"to=<{elsewhere}>.*status=deferred"))

    clients.send(host, clients.message(BOB, elsewhere), sender=BOB, port=587, user=BOB)
    clients.eventually(attempts, "not deferred", timeout=60)
    before = attempts()
    host.exec("systemctl stop dovecot.socket dovecot.service 2>&1")
    clients.send(host, clients.message(STRANGER, BOB))
    clients.eventually(lambda: len(clients.queue(host)) == 2, "not queued")
    host.exec("systemctl start dovecot")
    clients.eventually(lambda: len(clients.queue(host)) == 1, "not delivered", EMPTY)
    time.sleep(5)
    assert attempts() == before
    host.exec("postconf -e 'relayhost ='; postfix reload 2>&1; postsuper -d ALL 2>&1")


def test_a_service_that_can_not_start_does_not_spin_and_starts_later(host: Target) -> None:
    host.exec("cp -p /etc/dovecot/dovecot.conf /root/; echo nonsense >> /etc/dovecot/dovecot.conf")
    host.exec(f"kill -9 {master('dovecot')}")
    time.sleep(30)
    attempts = host.exec("journalctl --boot -u dovecot --since=-30s --output=cat -g '^Starting'").stdout
    assert 2 <= len(attempts.splitlines()) <= 15
    host.exec("mv /root/dovecot.conf /etc/dovecot/dovecot.conf")
    mended = time.monotonic()
    clients.eventually(
        lambda: not host.exec("systemctl is-active dovecot", check=False).returncode, "dead", 180
    )
    print("started after", time.monotonic() - mended)


def test_a_reboot_with_mail_in_the_queue(host: Target) -> None:
    host.exec("systemctl stop dovecot.socket dovecot.service 2>&1")
    message_id = clients.send(host, clients.message(STRANGER, BOB))
    host.stop()
    host.start()
    assert clients.received(host, BOB, message_id, timeout=15 * ROOM)


def test_the_kernel_ends_one_process_alone(host: Target) -> None:
    """Memory runs out: the kernel kills one imap process; other sessions and Dovecot itself continue."""
    units = [postfix(host), "dovecot"]
    shown = host.exec(["systemctl", "show", "--value", "-p", "OOMPolicy", *units, "postgresql@*"])
    assert set(shown.stdout.split()) == {"continue"}  # with cgroup v1, systemd would not notice anyway
    before = host.exec(f"echo {master('dovecot')}").stdout
    with clients.imap(host, BOB) as other:
        # its own session breaks
        with suppress(imaplib.IMAP4.abort, OSError), clients.imap(host, ALICE):
            victim = host.exec(f"pgrep -n -x imap -P {master('dovecot')}").stdout.strip()
            host.limit_memory("768m")
            # the kernel kills the process with the highest score first, and then this one, which is the
            # largest
            host.exec(f"echo 1000 > /proc/{victim}/oom_score_adj")
            host.exec("perl -e 'push @all, \"x\" x 1e7 while 1'", check=False)
            killed = rf"imap.* {victim} killed with signal 9"
            clients.eventually(lambda: clients.log(host, killed), "it is not killed")
        assert other.noop()[0] == "OK"
    assert host.exec(f"echo {master('dovecot')}").stdout == before
    assert host.exec(["systemctl", "is-active", *units]).stdout.split() == ["active"] * 2
    deploys.assert_mail_flows(host)


def test_a_service_stopped_on_purpose_stays_stopped(host: Target) -> None:
    version = {12: "15", 13: "17"}[host.debian]
    for command, unit in (
        ("postfix stop", postfix(host)),
        (f"runuser -u postgres -- pg_ctlcluster {version} main stop -m fast", f"postgresql@{version}-main"),
    ):
        host.exec(f"{command} 2>&1")
        time.sleep(5)
        assert host.exec(["systemctl", "is-active", unit], check=False).stdout.strip() == "inactive"
        host.exec(["systemctl", "start", unit])
    deploys.assert_mail_flows_again(host)


def test_a_deploy_finds_a_missing_socket(host: Target) -> None:
    """The kernel lists a removed socket as long as a process listens on it."""
    host.exec("rm /var/spool/postfix/private/auth")
    run = deploys.run(host, sample_accounts.data())
    assert "dovecot: restart (it does not listen on /var/spool/postfix/private/auth)" in deploys.said(run)
    deploys.assert_mail_flows_again(host)


def test_a_deploy_replaces_an_old_program(host: Target) -> None:
    """An upgrade replaced the program, and the old one still runs."""
    host.exec("cd /usr/sbin && cp -p dovecot dovecot.new && sleep 1 && mv dovecot.new dovecot")
    run = deploys.run(host, sample_accounts.data())
    assert "dovecot: restart (/usr/sbin/dovecot is newer than the process)" in deploys.said(run)
    deploys.assert_converged(host, sample_accounts.data())


def test_a_deploy_finds_a_dead_master(host: Target) -> None:
    """One remaining process keeps a unit active if systemd does not know the master."""
    unit = postfix(host)
    override = f"/run/systemd/system/{unit}.service.d"
    settings = "[Service]\\nPIDFile=\\nGuessMainPID=no\\nRestart=no\\n"
    host.exec(f"mkdir -p {override}; printf '{settings}' > {override}/zz.conf; systemctl daemon-reload")
    host.exec(["systemctl", "restart", unit])
    with clients.smtp(host):
        host.exec(f"kill -9 {master('postfix')}; rm -r {override}; systemctl daemon-reload")
        assert host.exec(["systemctl", "is-active", unit], check=False).stdout.strip() == "active"
        run = deploys.run(host, sample_accounts.data())
    assert "postfix: restart (its master is dead)" in deploys.said(run)
    deploys.assert_mail_flows_again(host)
    deploys.assert_converged(host, sample_accounts.data())


def test_the_unit_that_an_upgrade_leaves_behind(host: Target) -> None:
    """Debian 12 ran Postfix as postfix@-, which conflicts with the service of 13 until it is stopped."""
    if host.debian == 12:
        assert postfix(host) == "postfix@-"
        return
    old = "/run/systemd/system/postfix@-.service"
    commands = ("Type=forking", "ExecStart=/usr/sbin/postfix start", "ExecStop=/usr/sbin/postfix stop")
    host.write(old, "\n".join(["[Service]", *commands, ""]).encode())
    host.exec("systemctl stop postfix; systemctl daemon-reload; systemctl start postfix@-")
    host.exec(f"rm {old}; systemctl daemon-reload")
    run = deploys.run(host, sample_accounts.data())
    assert "postfix: stop postfix@-, start" in deploys.said(run)
    host.exec("systemctl reload postfix")
    deploys.assert_mail_flows_again(host)
    deploys.assert_converged(host, sample_accounts.data())
