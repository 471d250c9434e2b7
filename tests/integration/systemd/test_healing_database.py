"""Masters die and the database stops: all services work a few seconds after it is back."""

from __future__ import annotations

import imaplib
import smtplib
import time
from contextlib import suppress

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.support.faults import ALL, database, database_away, master, postfix
from tests.support.numbered_traffic import ROOM, watch
from tests.support.sample_accounts import ALICE, BOB, PASSWORDS, STRANGER
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines

#: Seconds until all services work after a master was killed, and after the database is back, with room for a
#: loaded machine. And seconds until the last refusal, or until all services work if that takes longer.
RESTART, BACK, LAST_REFUSAL = 5 * ROOM, 5 * ROOM, 10


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server, whose daemons die."""
    return module_clone("healing-database")


@pytest.mark.parametrize("daemons", [ALL[:1], ALL[1:2], ALL[2:], ALL], ids="-".join)
def test_a_killed_master_is_started_again(host: Target, daemons: tuple[str, ...]) -> None:
    with watch(host) as watching:
        killed = time.monotonic()
        host.exec(f"kill -9 {' '.join(map(master, daemons))}")
        watching.recovered(time.monotonic() + 0.1, RESTART)
        watching.assert_well_from(killed + LAST_REFUSAL)
        watching.report(f"killed {' and '.join(daemons)}", host, killed)


@pytest.mark.postgresql
def test_one_killed_backend_is_hardly_noticed(host: Target) -> None:
    """PostgreSQL ends all connections when one of its processes dies, and recovers at once."""
    with watch(host) as watching:
        backend = "SELECT pid FROM pg_stat_activity WHERE usename = 'maillookup' LIMIT 1"
        killed = time.monotonic()
        host.exec(["kill", "-9", clients.sql(host, backend)])
        watching.recovered(time.monotonic() + 0.1, BACK)
        watching.assert_well_from(killed + LAST_REFUSAL)
        watching.report("one backend killed", host, killed)


@pytest.mark.parametrize("seconds", [0, 10, 60])
def test_the_database_is_away_under_traffic(host: Target, seconds: int) -> None:
    """Refusals end with the outage, and none says that a password is wrong.

    On Debian 12 and with MariaDB, one does in a session that had begun before; with MariaDB also until
    `LAST_REFUSAL`.
    """
    with watch(host) as watching:
        stopped = time.monotonic()
        went, back = database_away(host, seconds)
        watching.recovered(back, BACK)
        watching.assert_well_from(back + LAST_REFUSAL)
        watching.report(f"database away for {seconds} s", host, back)
        refused = [answer for answer in watching.refusals(stopped - 60) if answer.kind == "587"]
        if host.debian == 12 or sample_accounts.ENGINE == "mysql":
            # as it starts, Postfix may have it before Dovecot does; with MariaDB it may be seconds afterwards
            away = [each for each in refused if each.began >= went + 2 and each.moment < went + seconds]
            after = [each for each in refused if each.began >= back and sample_accounts.ENGINE != "mysql"]
            refused = away + after
        assert [answer for answer in refused if "535" in answer.text] == []
    assert "error" not in log_of_recover(host)


@pytest.mark.postgresql
def test_a_session_from_before_the_stop_is_told_to_come_again(host: Target) -> None:
    """After the ten seconds that Postfix waits; in Debian 12, Dovecot can't be told to answer later."""
    with clients.smtp(host, 587) as session:
        database(host, "stop")
        try:
            with pytest.raises(smtplib.SMTPAuthenticationError) as refused:
                clients.login(session, ALICE, PASSWORDS[ALICE])
        finally:
            database(host, "start")
    # 2.3 may also wait for the database
    assert refused.value.smtp_code in ((454, 535) if host.debian == 12 else (454,))


def test_it_recovers_without_a_journal(host: Target) -> None:
    """Postfix logs to a file, and journald keeps nothing; the second outage comes soon after the first."""
    journald = "/etc/systemd/journald.conf.d"
    host.exec("postconf -e maillog_file=/var/log/mail.log")
    host.exec(f"mkdir -p {journald}; printf '[Journal]\\nStorage=none\\n' > {journald}/none.conf")
    host.exec(f"systemctl restart systemd-journald {postfix(host)}")
    try:
        with watch(host) as watching:
            for seconds in (10, 5):
                _, back = database_away(host, seconds)
                watching.recovered(back, BACK)
                watching.assert_well_from(back + LAST_REFUSAL)
                watching.report(f"database away for {seconds} s, nothing in the journal", host, back)
    finally:
        host.exec(f"postconf -X maillog_file; rm {journald}/none.conf")
        host.exec(f"systemctl restart systemd-journald {postfix(host)}")


def test_a_login_during_the_stop_is_answered(host: Target) -> None:
    began = database(host, "stop")
    try:
        with pytest.raises((imaplib.IMAP4.error, smtplib.SMTPException)):
            clients.imap(host, ALICE).__enter__()
        assert time.monotonic() - began < 15
    finally:
        database(host, "start")


@pytest.mark.parametrize("seconds", [0, 60])
def test_a_quiet_server_takes_the_first_message(host: Target, seconds: int) -> None:
    """No client asked while the database was down. Ten seconds later, the first one is answered."""
    clients.eventually(lambda: clients.replies(host, ALICE) == 250, "not well", BACK)
    database_away(host, seconds)
    time.sleep(10)
    assert clients.replies(host, ALICE) == 250
    with clients.imap(host, ALICE), clients.smtp(host, 587, ALICE):
        pass


def log_of_recover(host: Target) -> str:
    return host.exec("journalctl --boot -u mailstack-recover -o cat --no-pager").stdout


def recoveries(host: Target) -> int:
    """Return how often the daemons were told to ask the database again."""
    return log_of_recover(host).count("answers:")


def test_only_postfix_and_dovecot_make_it_recover(host: Target) -> None:
    """Postfix logs text of clients in warnings, and every system user may write to the journal."""
    before = recoveries(host)
    lines = (
        "pgsql query failed",
        "connect to pgsql server",
        "/etc/postfix/sql/virtual_domains.cf",
        "virtual_mailbox_domains: proxy:pgsql:/etc/postfix/sql/virtual_domains.cf: table lookup problem",
    )
    for line in lines:
        with suppress(smtplib.SMTPException), clients.smtp(host) as session:
            session.docmd(f"GET warning: {line}")
        host.exec(["logger", "-p", "mail.warning", "-t", "postfix/proxymap", f"warning: {line}"])
    time.sleep(2)
    assert recoveries(host) == before


@pytest.mark.postgresql
def test_one_broken_table_is_asked_until_it_answers(host: Target) -> None:
    """Reloading daemons does not help before. Postfix looks up only other servers' domains in this table."""
    before = recoveries(host)
    clients.sql(host, "REVOKE SELECT ON mail_relay_domain FROM maillookup")
    try:
        for _ in range(40):
            clients.replies(host, STRANGER)
            time.sleep(1)
        assert recoveries(host) == before
    finally:
        clients.sql(host, "GRANT SELECT ON mail_relay_domain TO maillookup")
    clients.eventually(lambda: clients.replies(host, STRANGER) == 554, "not well", LAST_REFUSAL)


@pytest.mark.postgresql
def test_mail_whose_lookup_failed_is_delivered(host: Target) -> None:
    """Postfix looks up the domain of a message again at each attempt, also of an accepted one."""
    failed = "address resolver failure"
    try:
        host.exec("systemctl stop dovecot.socket dovecot.service 2>&1")
        for user in (ALICE, BOB):  # qmgr(8) remembers the last lookup
            clients.send(host, clients.message(STRANGER, user))
        clients.sql(host, "REVOKE SELECT ON mail_domain FROM maillookup")
        host.exec("postqueue -f")
        clients.eventually(lambda: failed in host.exec("postqueue -p").stdout, "not tried")
    finally:
        host.exec("systemctl start dovecot")
        clients.sql(host, "GRANT SELECT ON mail_domain TO maillookup")
    clients.wait_for_empty_queue(host, timeout=15 * ROOM)


def test_sessions_continue_after_an_outage_of_the_database(host: Target) -> None:
    """Longer than the six seconds after which a reload of Dovecot would end them."""
    with clients.imap(host, ALICE) as session:
        before = recoveries(host)
        database(host, "stop")
        assert clients.replies(host, ALICE) == 451
        database(host, "start")
        clients.eventually(lambda: recoveries(host) > before, "not noticed")
        time.sleep(8)
        assert session.noop()[0] == "OK"


def test_it_reads_warnings_from_before_its_start(host: Target) -> None:
    """Postfix warns once, and then remembers. The service may start after that, as after a kill."""
    recovers = "mailstack-recover"
    host.exec(["systemctl", "stop", recovers])
    before = recoveries(host)
    database(host, "stop")
    assert clients.replies(host, ALICE) == 451
    host.exec(["systemctl", "start", recovers])
    database(host, "start")
    clients.eventually(lambda: recoveries(host) > before, "not noticed")
    clients.eventually(lambda: clients.replies(host, ALICE) == 250, "not well", BACK)
