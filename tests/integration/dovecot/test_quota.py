"""Quotas: mail to a full mailbox or its alias is refused at RCPT; accepted mail waits and never bounces."""

from __future__ import annotations

import imaplib
import smtplib
from collections.abc import Iterator
from email import message_from_bytes, policy

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.support.sample_accounts import ALICE, REMOTE, STRANGER
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines

#: Has as much room as its domain gives to each user.
FULL = "full@quota.example"
#: May have twenty messages.
COUNTED = "counted@quota.example"
#: Has no limit, although its domain has one for users.
FREE = "free@quota.example"
ACCOUNTS = f"""
BEGIN;
INSERT INTO mail_domain (domain_name, user_quota_mb) VALUES ('quota.example', 2);
INSERT INTO mail_domain (domain_name) VALUES ('all.example');
INSERT INTO mail_users (email, password) SELECT '{FULL}', password FROM mail_users WHERE email = '{ALICE}';
INSERT INTO mail_users (email, password, quota_messages)
    SELECT '{COUNTED}', password, 20 FROM mail_users WHERE email = '{ALICE}';
INSERT INTO mail_users (email, password, quota_mb)
    SELECT '{FREE}', password, 0 FROM mail_users WHERE email = '{ALICE}';
INSERT INTO mail_alias_domain (alias_domain, domain_name) VALUES ('other.example', 'quota.example');
INSERT INTO mail_wildcard (local_part, destination_email) VALUES ('everywhere', '{FULL}');
INSERT INTO mail_alias (source_email, destination_email) VALUES
    ('alias@quota.example', '{FULL}'), ('chain@all.example', 'alias@quota.example'),
    ('@all.example', 'chain@all.example'), ('two@quota.example', '{FULL}'), ('two@quota.example', '{FREE}'),
    ('half@quota.example', '{FULL}'), ('half@quota.example', 'half@{REMOTE}'),
    ('away@quota.example', 'away@{REMOTE}'), ('room@quota.example', '{FREE}');
COMMIT;
"""
GONE = f"""
DELETE FROM mail_alias WHERE domain_name IN ('quota.example', 'all.example');
DELETE FROM mail_wildcard WHERE destination_email = '{FULL}';
DELETE FROM mail_alias_domain WHERE domain_name = 'quota.example';
DELETE FROM mail_users WHERE domain_name = 'quota.example';
DELETE FROM mail_domain WHERE domain_name IN ('quota.example', 'all.example');
"""
PASSWORD = sample_accounts.PASSWORDS[ALICE]


@pytest.fixture(scope="module")
def host(server: Target) -> Iterator[Target]:
    """Yield the standard server with these accounts."""
    clients.sql(server, GONE + ACCOUNTS)
    yield server
    clients.sql(server, GONE)
    server.exec("postsuper -d ALL deferred; rm -rf /var/vmail/quota.example")


def letter(recipient: str, size: int) -> bytes:
    """Return a message of about that many bytes."""
    return clients.message(STRANGER, recipient, body=("x" * 70 + "\n") * (size // 71)).as_bytes()


def deliver(target: Target, recipient: str, size: int, *, says_size: bool = True) -> str:
    """Send a message of that many bytes; returns its Message-ID. Raises what smtplib raises."""
    mail = letter(recipient, size)
    with clients.smtp(target) as session:
        if not says_size:
            del session.esmtp_features["size"]
        session.sendmail(STRANGER, recipient, mail)
    return str(message_from_bytes(mail, policy=policy.default)["Message-ID"])


def rcpt(target: Target, recipient: str, size: int | None = None) -> int:
    """Return the code of RCPT, after a MAIL that says the size."""
    with clients.smtp(target) as session:
        assert session.mail(STRANGER, [f"SIZE={size}"] if size else [])[0] == 250
        return session.rcpt(recipient)[0]


def allow(target: Target, megabytes: int) -> None:
    """Give the users of the domain that much room each, and try again to deliver what waits for it."""
    clients.sql(
        target, f"UPDATE mail_domain SET user_quota_mb = {megabytes} WHERE domain_name = 'quota.example'"
    )
    target.exec("postqueue -f")


def deferred(target: Target) -> list[str]:
    """Return the recipients whose mail waits because the mailbox is full."""
    return [line.partition(":")[0] for line in clients.queue(target) if "4.2.2" in line]


def messages(session: imaplib.IMAP4, subject: str) -> list[bytes]:
    """Return the numbers of the messages in INBOX with this in the subject."""
    session.noop()
    found: bytes = session.search(None, "SUBJECT", f'"{subject}"')[1][0]
    return found.split()


def test_mail_without_room_is_refused_at_rcpt(host: Target) -> None:
    assert rcpt(host, FULL, 20_000_000) == 552
    assert rcpt(host, FULL, 500_000) == 250
    for unlimited in (FREE, ALICE):
        assert rcpt(host, unlimited, 20_000_000) == 250


def test_mail_accepted_without_a_size_waits_until_there_is_room(host: Target) -> None:
    with clients.imap(host, FULL, password=PASSWORD) as session:
        clients.wait_for_mail(session, deliver(host, FULL, 1_300_000))
        used = session.getquotaroot("INBOX")[1][1][0]
        assert isinstance(used, bytes) and b"2048" in used, "KiB (RFC 9208)"
        waiting = deliver(host, FULL, 1_300_000, says_size=False)
        clients.eventually(lambda: deferred(host) == [FULL], "it does not wait")
        assert not clients.find(session, waiting)
        allow(host, 4)
        clients.wait_for_mail(session, waiting)


def test_no_spelling_avoids_the_quota(host: Target) -> None:
    """Postfix folds some spellings itself, but asks Dovecot with the address as the client wrote it."""
    for spelling, code in {
        f"<{FULL}.>": 552,
        '<"full"@quota.example.>': 552,
        f"<@a.example:{FULL}>": 552,
        f"<{ALICE}.>": 250,
        f"<full%quota.example@{sample_accounts.HOSTNAME}>": 554,
        f"<quota.example!full@{sample_accounts.HOSTNAME}>": 554,
    }.items():
        with clients.smtp(host) as session:
            session.mail(STRANGER, ["SIZE=20000000"])
            assert session.docmd("RCPT", f"TO:{spelling}")[0] == code, spelling
    assert clients.log(host, f"invalid recipient address.*{FULL}") == []


def test_a_full_mailbox_is_refused_whatever_it_is_called(host: Target) -> None:
    allow(host, 1)
    full = [
        FULL,
        FULL.upper(),
        "full+tag@quota.example",
        "full@other.example",
        "alias@quota.example",
        "Alias+tag@quota.example",
        "alias@other.example",
        "chain@all.example",
        "whatever@all.example",
        "everywhere@example.com",
    ]
    assert {address: rcpt(host, address) for address in full} == dict.fromkeys(full, 552)


def test_an_alias_with_room_somewhere_is_taken(host: Target) -> None:
    """In docker-mailserver#4767, an alias to another server was refused."""
    taken = ["away@quota.example", "away@other.example", "half@quota.example", "two@quota.example"]
    taken += ["room@quota.example", "away@example.org", "team@example.org"]
    assert {address: rcpt(host, address) for address in taken} == dict.fromkeys(taken, 250)
    assert rcpt(host, "unknown@quota.example") == 550


def test_mail_for_two_is_delivered_to_the_one_with_room(host: Target, peer: Target) -> None:
    """The other copy waits, and comes when there is room."""
    with clients.imap(host, FULL, password=PASSWORD) as session:
        sent = [deliver(host, alias, 500) for alias in ("two@quota.example", "half@quota.example")]
        assert clients.received(host, FREE, sent[0], PASSWORD)
        assert clients.wait_at_peer(peer, sent[1])
        clients.eventually(lambda: deferred(host) == [FULL] * 2, "they do not wait")
        assert not [message_id for message_id in sent if clients.find(session, message_id)]
        allow(host, 5)
        assert [len(clients.wait_for_mail(session, message_id)) > 0 for message_id in sent] == [True, True]
    clients.wait_for_empty_queue(host)
    assert clients.log(host, f"to=<{FULL}>.*status=bounced") == []


def test_too_many_messages_are_refused_and_the_user_is_told_before(host: Target) -> None:
    with clients.imap(host, COUNTED, password=PASSWORD) as session:
        for number in range(16):
            session.append("INBOX", "", "", letter(COUNTED, 100 + number))
        told = clients.eventually(lambda: messages(session, "80 % full"), "no warning at 80 %")
        assert len(told) == 1
        raw = session.fetch(told[0].decode(), "(BODY.PEEK[])")[1][0][1]  # type: ignore[index]
        warning = message_from_bytes(raw, policy=policy.default)  # type: ignore[arg-type]
        assert warning["To"] == COUNTED
        assert warning["Date"].datetime
        assert warning["Auto-Submitted"] == "auto-generated"
        assert "uses 80 % or more of the space" in warning.get_content()
        deliver(host, COUNTED, 100)
        assert not messages(session, "95 % full")
        deliver(host, COUNTED, 100)
        clients.eventually(lambda: messages(session, "95 % full"), "no warning at 95 %")
        assert len(session.search(None, "ALL")[1][0].split()) == 20
        assert rcpt(host, COUNTED) == 552
        assert session.append("INBOX", "", "", letter(COUNTED, 100))[0] == "NO"


def test_a_domain_may_count_the_messages_of_each_user(host: Target) -> None:
    few, limit = "few@quota.example", "UPDATE mail_domain SET user_quota_messages = {}"
    limit += " WHERE domain_name = 'quota.example'"
    user = f"INSERT INTO mail_users (email, password) SELECT '{few}', password FROM mail_users"
    clients.sql(host, f"{user} WHERE email = '{ALICE}'; {limit.format(1)}")
    with clients.imap(host, few, password=PASSWORD) as session:
        clients.wait_for_mail(session, deliver(host, few, 100))
    assert rcpt(host, few) == 552
    clients.sql(host, limit.format("NULL"))
    clients.eventually(lambda: rcpt(host, few) == 250, "mail taken again")


def test_users_without_a_limit_get_no_warning(host: Target) -> None:
    with clients.imap(host, FREE, password=PASSWORD) as session:
        clients.wait_for_mail(session, deliver(host, FREE, 3_000_000))
        assert not messages(session, "full")
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            deliver(host, FULL, 3_000_000)


def test_mailboxes_without_a_limit_are_not_counted(host: Target) -> None:
    """Counting takes longer the more mail there is. The index has the sum if the mailbox was ever counted."""
    counted = {}
    for user in (COUNTED, FREE):
        mailbox = f"{clients.mail_root(host, user)}/mailboxes/INBOX/dbox-Mails"
        counted[user] = "hdr-vsize" in host.exec(f"doveadm dump -t index {mailbox}").stdout
    assert counted == {COUNTED: True, FREE: False}


def test_without_dovecot_mail_is_taken(clone: Factory) -> None:
    server = clone("quota")
    server.exec("systemctl stop dovecot")
    assert clients.replies(server, ALICE) == 250
