"""The database or Dovecot is down for a while: all clients get temporary errors, and no mail is lost."""

from __future__ import annotations

import imaplib
import smtplib

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.numbered_traffic import ROOM
from tests.support.sample_accounts import ALICE, BOB, REMOTE, STRANGER
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines

#: Seconds, ten of them with room for a loaded machine; test_healing_database.py has the goals.
RECOVERY = 10 * ROOM
DISABLED = "unknown@disabled.example"
#: The units that are stopped or killed, and the one that starts them.
UNITS = {"postgresql": ("postgresql@*.service", "postgresql"), "mysql": ("mariadb.service", "mariadb")}


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server, whose daemons have been in use."""
    target = module_clone("away")
    assert clients.received(target, ALICE, clients.send(target, clients.message(STRANGER, ALICE)))
    return target


def test_database_and_dovecot_stop_and_start(host: Target) -> None:
    """Mail is accepted while Dovecot is down, and then waits for the database, which stops meanwhile."""
    stop_dovecot(host)
    sent = {user: clients.send(host, clients.message(STRANGER, user)) for user in (ALICE, BOB)}
    clients.eventually(lambda: len(clients.log(host, "status=deferred")) >= 2, "both deferred")

    processes, unit = UNITS[sample_accounts.ENGINE]
    host.exec(["systemctl", "stop", processes])
    host.exec("systemctl start dovecot")  # once the database is away, or some mail might be delivered before
    everybody_is_told_to_come_again(host)
    before = len(clients.log(host, "status=deferred"))

    def deferred_again() -> bool:
        host.exec(["postqueue", "-f"])
        return len(clients.log(host, "status=deferred")) >= before + 2

    clients.eventually(deferred_again, "both deferred again", timeout=90)
    # a message that moves between queues may be listed twice
    clients.eventually(lambda: len(clients.queue(host)) == 2, "both wait")

    host.exec(["systemctl", "start", unit])
    works_again(host)
    host.exec(["postqueue", "-f"])
    for user, message_id in sent.items():
        clients.received(host, user, message_id, timeout=60)
        with clients.imap(host, user) as session:
            assert len(clients.find(session, message_id)) == 1
    clients.wait_for_empty_queue(host, timeout=60)


def stop_dovecot(host: Target) -> None:
    host.exec("systemctl stop dovecot.socket dovecot.service 2>&1")


def everybody_is_told_to_come_again(host: Target) -> None:
    """Assert that clients get 4xx while the database is down, or an equivalent answer."""
    # Postfix can't know whether the last one is a local address
    addresses = [ALICE, "info@example.org", "unknown@example.org", DISABLED, f"someone@{REMOTE}"]
    assert {address: clients.replies(host, address) for address in addresses} == dict.fromkeys(addresses, 451)

    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"):
        clients.imap(host, ALICE).__enter__()

    # not 535, which means a wrong password: docs/troubleshooting.md
    for port in (465, 587):
        with pytest.raises(smtplib.SMTPConnectError) as refused, clients.smtp(host, port):
            pass
        assert refused.value.smtp_code == 451


def works_again(host: Target) -> None:
    """Wait until mail is accepted and can be read again."""

    def sent_and_read() -> bool:
        try:
            message_id = clients.send(host, clients.message(BOB, ALICE), sender=BOB, port=587, user=BOB)
            return bool(clients.received(host, ALICE, message_id, timeout=5))
        except (smtplib.SMTPException, imaplib.IMAP4.error, OSError):
            return False

    clients.eventually(sent_and_read, "mail does not work again", timeout=RECOVERY)


def test_nothing_was_bounced_meanwhile(host: Target) -> None:
    assert clients.log(host, "status=bounced|sender non-delivery") == []


def test_mail_survives_a_crash_of_everything(host: Target) -> None:
    """SIGKILL of every daemon of the mail server and of the database, between taking and delivery."""
    stop_dovecot(host)
    message_id = clients.send(host, clients.message(STRANGER, ALICE))
    processes, unit = UNITS[sample_accounts.ENGINE]
    kill = f"systemctl kill --signal=KILL --kill-who=all 'postfix*.service' '{processes}'; sleep 1"
    host.exec(kill, check=False)
    host.exec(f"systemctl reset-failed; systemctl restart {unit}; systemctl start dovecot postfix")
    works_again(host)
    host.exec(["postqueue", "-f"])
    assert clients.received(host, ALICE, message_id, timeout=60)


def test_a_run_that_finds_the_database_stopped_does_not_take_it_for_empty(host: Target) -> None:
    """A user is declared in a domain that only the database has."""
    clients.sql(host, "INSERT INTO mail_domain (domain_name) VALUES ('byhand.example');")
    user = {"email": "new@byhand.example", "initial_password": "a password"}
    processes, _ = UNITS[sample_accounts.ENGINE]
    host.exec(["systemctl", "stop", processes])
    run = deploys.run(host, sample_accounts.data(mail_users=[*sample_accounts.USERS, user]))
    assert "+ user new@byhand.example" in deploys.said(run)


def test_a_run_that_is_impossible_for_the_database_changes_nothing(host: Target) -> None:
    user = {"email": "new@unknown.example", "initial_password": "a password"}
    data = sample_accounts.data(mail_users=[*sample_accounts.USERS, user], mail_message_size_limit=10_000_000)
    run = host.pyinfra("-y", "--json", "deploy.py", data=data)
    assert (
        run.returncode == 1 and "user new@unknown.example: there is no domain unknown.example" in run.stderr
    )
    assert host.exec(["postconf", "-h", "message_size_limit"]).stdout.strip() != "10000000"
