"""What fails comes back by itself, as soon as its cause is gone; nothing that was accepted is lost."""

from __future__ import annotations

import imaplib
import smtplib
import time
from contextlib import suppress

import pytest

from tests.integration import clients, converge, world
from tests.integration.conftest import Factory
from tests.integration.numbered import ROOM, watch
from tests.integration.world import ALICE, BOB, STRANGER
from tests.targets.containers import Target

#: Seconds until all is well after a master was killed, and after the database is back, with room for a loaded
#: machine; and until no refusal comes any more, or until all is well if that takes longer there.
RESTART, BACK, LAST_REFUSAL = 5 * ROOM, 5 * ROOM, 10


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """A copy of the standard server, whose daemons die."""
    return module_clone("healing")


ALL = ("postfix", "dovecot", "postgresql")
_MASTERS = {
    "postfix": "$(cat /var/spool/postfix/pid/master.pid)",
    "dovecot": "$(cat /run/dovecot/master.pid)",
    "postgresql": "$(head -n 1 /var/lib/postgresql/*/main/postmaster.pid)",
}


def master(daemon: str) -> str:
    """Return the shell words for the process id of a master."""
    return _MASTERS[daemon]


def postfix(host: Target) -> str:
    """Return the unit whose processes are Postfix."""
    return "postfix@-" if host.debian == 12 else "postfix"


def database(host: Target, verb: str) -> float:
    """Start, stop or restart PostgreSQL itself, not Debian's wrapper; return the moment when it is done."""
    version = {12: "15", 13: "17"}[host.debian]
    host.exec(["systemctl", verb, f"postgresql@{version}-main"])
    return time.monotonic()


@pytest.mark.parametrize("daemons", [ALL[:1], ALL[1:2], ALL[2:], ALL], ids="-".join)
def test_a_master_that_is_killed_comes_back(host: Target, daemons: tuple[str, ...]) -> None:
    with watch(host) as watching:
        host.exec(f"kill -9 {' '.join(map(master, daemons))}")
        killed = time.monotonic()
        print(daemons, "well again after", watching.recovered(killed + 0.1, RESTART))
        watching.assert_well_from(killed + LAST_REFUSAL)


def test_one_killed_backend_is_hardly_noticed(host: Target) -> None:
    """PostgreSQL ends all connections when one of its processes dies, and recovers at once."""
    with watch(host) as watching:
        backend = "SELECT pid FROM pg_stat_activity WHERE usename = 'maillookup' LIMIT 1"
        host.exec(["kill", "-9", clients.sql(host, backend)])
        killed = time.monotonic()
        print("well again after", watching.recovered(killed + 0.1, BACK))
        watching.assert_well_from(killed + LAST_REFUSAL)


def test_the_database_is_away_under_traffic(host: Target) -> None:
    """Refusals end with the outage, and none of them says that a password is wrong."""
    with watch(host) as watching:
        away = database(host, "stop")
        time.sleep(10)
        back = database(host, "start")
        print("well again after", watching.recovered(back, BACK), "without a 250 for", watching.gap("25"))
        watching.assert_well_from(back + LAST_REFUSAL)
        # a session may have begun before it went
        wrong = [
            answer for answer in watching.refusals(away + 2) if answer.kind == "587" and "535" in answer.text
        ]
        assert wrong == []


def test_a_login_that_began_as_it_went_is_answered(host: Target) -> None:
    began = database(host, "stop")
    try:
        with pytest.raises((imaplib.IMAP4.error, smtplib.SMTPException)):
            clients.imap(host, ALICE).__enter__()
        assert time.monotonic() - began < 15
    finally:
        database(host, "start")


def test_a_quiet_server_takes_the_first_message(host: Target) -> None:
    """Nobody asked while the database was away; ten seconds later, the first to ask is answered."""
    clients.eventually(lambda: clients.replies(host, ALICE) == 250, "not well", BACK)
    database(host, "restart")
    time.sleep(10)
    assert clients.replies(host, ALICE) == 250
    with clients.imap(host, ALICE), clients.smtp(host, 587, ALICE):
        pass


def recoveries(host: Target) -> int:
    """Return how often the daemons were told to ask the database again."""
    return host.exec("journalctl --boot -u mailstack-recover -o cat --no-pager").stdout.count("answers:")


def test_nobody_else_makes_it_recover(host: Target) -> None:
    """Postfix logs what clients send as warnings, and anybody on the host may write to the journal."""
    before = recoveries(host)
    lines = ("pgsql query failed", "connect to pgsql server", "/etc/postfix/sql/virtual_domains.cf")
    for line in lines:
        with suppress(smtplib.SMTPException), clients.smtp(host) as session:
            session.docmd(f"GET warning: {line}")
        host.exec(["logger", "-p", "mail.warning", "-t", "postfix/proxymap", f"warning: {line}"])
    time.sleep(2)
    assert recoveries(host) == before


def test_sessions_go_on_when_the_database_was_away(host: Target) -> None:
    with clients.imap(host, ALICE) as session:
        before = recoveries(host)
        database(host, "stop")
        assert clients.replies(host, ALICE) == 451
        database(host, "start")
        clients.eventually(lambda: recoveries(host) > before, "not noticed")
        time.sleep(1)
        assert session.noop()[0] == "OK"


def test_it_comes_back_with_postfix(host: Target) -> None:
    host.exec("systemctl stop postfix; systemctl start postfix")
    recovers = ["systemctl", "is-active", "mailstack-recover"]
    clients.eventually(lambda: host.exec(recovers, check=False).returncode == 0, "not started")
    converge.assert_mail_flows_again(host)


def test_mail_waits_for_dovecot_and_no_longer(host: Target) -> None:
    with watch(host) as watching:
        host.exec("systemctl stop dovecot.socket dovecot.service 2>&1")
        time.sleep(5)
        assert clients.queue(host)
        host.exec("systemctl start dovecot")
        back = time.monotonic()
        watching.stopping.set()
    print("queue empty after", time.monotonic() - back)


def test_what_can_not_start_does_not_spin_and_starts_when_it_can(host: Target) -> None:
    host.exec("cp -p /etc/dovecot/dovecot.conf /root/; echo nonsense >> /etc/dovecot/dovecot.conf")
    host.exec(f"kill -9 {master('dovecot')}")
    time.sleep(30)
    attempts = host.exec("journalctl --boot -u dovecot --since=-30s --output=cat -g '^Starting'").stdout
    assert 2 <= len(attempts.splitlines()) <= 12
    host.exec("mv /root/dovecot.conf /etc/dovecot/dovecot.conf")
    mended = time.monotonic()
    clients.eventually(
        lambda: not host.exec("systemctl is-active dovecot", check=False).returncode, "dead", 90
    )
    print("started after", time.monotonic() - mended)


def test_a_reboot_with_mail_in_the_queue(host: Target) -> None:
    host.exec("systemctl stop dovecot.socket dovecot.service 2>&1")
    message_id = clients.send(host, clients.message(STRANGER, BOB))
    host.stop()
    host.start()
    assert clients.received(host, BOB, message_id, timeout=15 * ROOM)


def test_the_kernel_ends_one_process_alone(host: Target) -> None:
    """What systemd does when memory runs out: cgroup v1, as on some test machines, can't show it happen."""
    units = ["postfix@-" if host.debian == 12 else "postfix", "dovecot"]
    shown = host.exec(
        ["systemctl", "show", "--value", "-p", "OOMPolicy", *units, "postgresql@*"]
    ).stdout.split()
    assert set(shown) == {"continue"}


def test_a_deploy_replaces_an_old_program(host: Target) -> None:
    """An upgrade put another one there, and the old one runs on."""
    host.exec("cd /usr/sbin && cp -p dovecot dovecot.new && sleep 1 && mv dovecot.new dovecot")
    run = converge.run(host, world.data())
    assert "dovecot: restart (/usr/sbin/dovecot is newer than the process)" in converge.said(run)
    converge.assert_converged(host, world.data())


def test_a_deploy_sees_that_the_master_is_dead(host: Target) -> None:
    """One process that lingers keeps a unit active, where systemd does not know the master."""
    unit = postfix(host)
    override = f"/run/systemd/system/{unit}.service.d"
    settings = "[Service]\\nPIDFile=\\nGuessMainPID=no\\nRestart=no\\n"
    host.exec(f"mkdir -p {override}; printf '{settings}' > {override}/zz.conf; systemctl daemon-reload")
    host.exec(["systemctl", "restart", unit])
    with clients.smtp(host):
        host.exec(f"kill -9 {master('postfix')}; rm -r {override}; systemctl daemon-reload")
        assert host.exec(["systemctl", "is-active", unit], check=False).stdout.strip() == "active"
        run = converge.run(host, world.data())
    assert "postfix: restart (its master is dead)" in converge.said(run)
    converge.assert_mail_flows_again(host)
    converge.assert_converged(host, world.data())


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
    run = converge.run(host, world.data())
    assert "postfix: stop postfix@-, start" in converge.said(run)
    host.exec("systemctl reload postfix")
    converge.assert_mail_flows_again(host)
    converge.assert_converged(host, world.data())
