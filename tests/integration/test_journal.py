"""A healthy server does not complain: docs/troubleshooting.md explains each warning in its journal."""

from __future__ import annotations

import imaplib
import re
import smtplib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from tests.integration import clients, converge, managesieve, world
from tests.integration.conftest import Factory
from tests.integration.world import ALICE, BOB, REMOTE, STRANGER
from tests.targets.containers import Target

TROUBLESHOOTING = Path(__file__).parents[2] / "docs" / "troubleshooting.md"
SECTION = "## Warnings in the journal that mean no harm"
#: What dbus says because a container may have no more open files; no daemon of ours has a part in it.
OF_CONTAINERS = re.compile(r"dbus-daemon\[\d+\]: .*Failed to set fd limit")
#: Debian's own configuration of Dovecot leaves this socket behind.
LEFT_OVER = "/run/dovecot/anvil-auth-penalty"


def explained() -> list[re.Pattern[str]]:
    """The lines that the manual explains; `…` stands there for any text."""
    section = TROUBLESHOOTING.read_text().partition(SECTION)[2].partition("\n## ")[0]
    lines = re.findall(r"^\| `(.*?)` \|", section, re.MULTILINE)
    return [re.compile(".*".join(map(re.escape, line.split("…")))) for line in lines]


def complaints(host: Target) -> list[str]:
    """All of the host's journal from warning on, from its first deploy on."""
    lines = host.exec("journalctl --priority=warning --output=short --no-pager --quiet").stdout.splitlines()
    return [line for line in lines if not OF_CONTAINERS.search(line)]


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """A copy of the standard server, as one that was deployed over Debian's own Dovecot."""
    host = module_clone("journal")
    host.exec(f"perl -MSocket -e 'socket(S, 1, 1, 0); bind(S, pack_sockaddr_un(\"{LEFT_OVER}\")) or die'")
    host.exec(f"chown dovecot {LEFT_OVER}")
    return host


def use(host: Target, peer: Target) -> None:
    """Do what users and strangers do all day: send, log in or fail to, read, and fill a mailbox."""
    converge.assert_mail_flows(host)
    for starttls in (True, False):
        for recipient in ("team@example.org", BOB):
            with clients.smtp(host, starttls=starttls) as session, suppress(smtplib.SMTPException):
                session.sendmail(STRANGER, [recipient], b"Subject: x\r\n\r\n" + b"x" * 300_000)
    for address in ("nobody@example.org", f"relayed@{REMOTE}", world.DAVE):
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


def test_what_debian_s_own_dovecot_left_behind_goes(host: Target) -> None:
    """Else each auth process that starts waits five seconds for an answer there, and logs an error."""
    run = converge.run(host, world.data())
    assert f"{LEFT_OVER}: unwanted" in converge.said(run)
    host.exec("systemctl reload dovecot")
    with clients.imap(host, ALICE):
        pass
    converge.assert_converged(host, world.data())


def test_every_warning_is_explained(host: Target, peer: Target) -> None:
    clients.introduce(peer, host)
    users = [user | {"quota_mb": 1} if user["email"] == BOB else user for user in world.USERS]
    settings: list[dict[str, Any]] = [{"mail_pop3": True}, {"mail_message_size_limit": 20_000_000}]
    for more in settings:  # the first restarts Dovecot, the second reloads Postfix
        converge.run(host, world.data(mail_users=users, **more))
        use(host, peer)
    host.exec("systemctl start systemd-tmpfiles-clean")
    host.stop()
    host.start()
    converge.assert_mail_flows_again(host)
    known = explained()
    assert [line for line in complaints(host) if not any(pattern.search(line) for pattern in known)] == []
