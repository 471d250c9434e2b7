"""docs/troubleshooting.md explains each warning in the journal of a healthy server."""

from __future__ import annotations

import imaplib
import smtplib
from contextlib import suppress
from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, journal, managesieve, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, REMOTE, STRANGER
from tests.targets.containers import Target

#: Debian's own configuration of Dovecot leaves this socket behind.
LEFT_OVER = "/run/dovecot/anvil-auth-penalty"


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server, as one that was deployed over Debian's own Dovecot."""
    host = module_clone("journal")
    host.exec(f"perl -MSocket -e 'socket(S, 1, 1, 0); bind(S, pack_sockaddr_un(\"{LEFT_OVER}\")) or die'")
    host.exec(f"chown dovecot {LEFT_OVER}")
    return host


def use(host: Target, peer: Target) -> None:
    """Do what users and strangers do all day: send, log in or fail to, read, and fill a mailbox."""
    deploys.assert_mail_flows(host)
    for starttls in (True, False):
        for recipient in ("team@example.org", BOB):
            with clients.smtp(host, starttls=starttls) as session, suppress(smtplib.SMTPException):
                session.sendmail(STRANGER, [recipient], b"Subject: x\r\n\r\n" + b"x" * 300_000)
    for address in ("nobody@example.org", f"relayed@{REMOTE}", sample_accounts.DAVE):
        assert clients.replies(host, address) >= 500
    mail = clients.message(ALICE, f"friend@{REMOTE}")
    clients.wait_at_peer(peer, clients.send(host, mail, sender=ALICE, port=465, user=ALICE))
    host.exec(["sendmail", "-i", "root"], input="Subject: from cron\n\nThe text.\n")
    with pytest.raises(smtplib.SMTPAuthenticationError), clients.smtp(host, 587) as session:
        clients.login(session, ALICE, "wrong")
    with pytest.raises(imaplib.IMAP4.error), clients.imap(host, ALICE, password="wrong"):
        pass
    managesieve.install(host, ALICE, 'require "vacation"; vacation "Away."; keep;')
    with clients.imap(host, ALICE) as mailbox:
        assert mailbox.search(None, "TEXT", '"x"')[0] == "OK"
        mailbox.store("1:*", "+FLAGS", r"(\Deleted)")
        mailbox.expunge()


def test_the_socket_of_debian_s_own_dovecot_is_removed(host: Target) -> None:
    """Otherwise each new auth process waits five seconds for an answer on that socket, and logs an error."""
    run = deploys.run(host, sample_accounts.data())
    assert f"{LEFT_OVER}: unwanted" in deploys.said(run)
    host.exec("systemctl reload dovecot")
    with clients.imap(host, ALICE):
        pass
    deploys.assert_converged(host, sample_accounts.data())


def test_every_warning_is_explained(host: Target, peer: Target) -> None:
    clients.introduce(peer, host)
    users = [user | {"quota_mb": 1} if user["email"] == BOB else user for user in sample_accounts.USERS]
    settings: list[dict[str, Any]] = [{"mail_pop3": True}, {"mail_message_size_limit": 20_000_000}]
    for more in settings:  # the first restarts Dovecot, the second reloads Postfix
        deploys.run(host, sample_accounts.data(mail_users=users, **more))
        use(host, peer)
    host.exec("systemctl start systemd-tmpfiles-clean")
    host.stop()
    host.start()
    deploys.assert_mail_flows_again(host)
    known = journal.explained()
    assert [
        line for line in journal.complaints(host) if not any(pattern.search(line) for pattern in known)
    ] == []
