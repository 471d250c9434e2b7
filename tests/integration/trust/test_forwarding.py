"""Mail that leaves again: its sender is this host (SRS), and what was found when it came is sealed (ARC)."""

from __future__ import annotations

import re
from email.message import EmailMessage

import pytest

from tests.support import clients, managesieve, sample_accounts, trust
from tests.support.sample_accounts import ALICE, BOB, CAROL, HOSTNAME, REMOTE
from tests.support.temporary_users import guests
from tests.support.trust import Protected, fields, letter, signers, somebody
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

#: An alias to the peer, and one to Bob and the peer.
AWAY, BOTH = "away@example.org", "both@example.org"


def forwarded(protected: Protected, peer: Target, alias: str = AWAY) -> tuple[EmailMessage, bytes]:
    """Return a message of a stranger to an alias, and as it has arrived elsewhere."""
    sender = somebody(REMOTE)
    mail = letter(sender, alias)
    clients.send(protected.server, mail, sender=sender)
    return mail, clients.wait_at_peer(peer, str(mail["Message-ID"]), 60)


def test_nothing_is_converted_on_the_way(protected: Protected, outside: Target) -> None:
    """Not even for a server without 8BITMIME: that would break the signature."""
    outside.exec("postconf -e smtpd_discard_ehlo_keywords=8bitmime && postfix reload")
    try:
        mail = letter(ALICE, f"anna@{REMOTE}", "Gruß", "Viele Grüße!")
        text = mail.as_bytes() + b"x" * 1200 + b"\r\n"
        with clients.smtp(protected.server, 587, ALICE) as session:
            session.sendmail(ALICE, [f"anna@{REMOTE}"], text, ["BODY=8BITMIME"])
        message = clients.wait_at_peer(outside, str(mail["Message-ID"]), 60)
    finally:
        outside.exec("postconf -X smtpd_discard_ehlo_keywords && postfix reload")
    assert "Viele Grüße!".encode() in message and b"x" * 1200 in message
    assert "dkim=pass header.d=example.org" in trust.verdict_elsewhere(protected.server, message, CAROL)


def return_path(message: bytes) -> str:
    """Return the envelope sender of a message that was delivered."""
    return fields(message, "Return-Path")[0].strip("<>")


def test_the_sender_is_this_host(protected: Protected, outside: Target) -> None:
    mail, message = forwarded(protected, outside)
    name, _, domain = str(mail["From"]).partition("@")
    assert re.fullmatch(rf"SRS0=\S{{4}}=\S{{2}}={domain}={name}@{HOSTNAME}", return_path(message))
    assert fields(message, "From") == [mail["From"]]
    assert signers(message) == []


def test_what_stays_keeps_its_sender(protected: Protected, outside: Target) -> None:
    mail, message = forwarded(protected, outside, BOTH)
    assert return_path(message).startswith("SRS0=")
    copy = clients.received(protected.server, BOB, str(mail["Message-ID"]))
    assert return_path(copy) == mail["From"]
    assert fields(copy, "ARC-Seal") == []


def test_what_was_found_is_sealed(protected: Protected, outside: Target) -> None:
    mail, message = forwarded(protected, outside)
    (seal,) = fields(message, "ARC-Seal")
    assert f"d={HOSTNAME};" in seal and "cv=none" in seal
    (found,) = fields(message, "ARC-Authentication-Results")
    assert HOSTNAME in found and "smtp.mailfrom=" + str(mail["From"]) in found
    # this host is a receiver like any other
    with clients.smtp(protected.server) as session:
        session.sendmail(somebody(trust.SILENT), [CAROL], message)
    arrived = clients.received(protected.server, CAROL, str(mail["Message-ID"]))
    assert "arc=pass" in " ".join(fields(arrived, "Authentication-Results"))


def test_a_redirect_of_sieve_is_sealed_and_not_signed(protected: Protected, outside: Target) -> None:
    sender = somebody(REMOTE)
    with guests(protected.server, "moved") as (user,):
        managesieve.install(protected.server, user, f'redirect "friend@{REMOTE}";')
        mail = letter(sender, user)
        clients.send(protected.server, mail, sender=sender)
        message = clients.wait_at_peer(outside, str(mail["Message-ID"]), 60)
    # SPF passes for the user's own domain
    assert return_path(message) == user
    assert fields(message, "From") == [sender]
    assert signers(message) == []
    (seal,) = fields(message, "ARC-Seal")
    assert f"d={HOSTNAME};" in seal


def test_a_bounce_goes_back_to_the_author(protected: Protected, outside: Target) -> None:
    mail, message = forwarded(protected, outside)
    bounce = letter("mailer-daemon@elsewhere.example", return_path(message), "Undeliverable")
    clients.send(protected.server, bounce, sender="")
    back = clients.wait_at_peer(outside, str(bounce["Message-ID"]), 60)
    assert fields(back, "Delivered-To")[0].endswith(str(mail["From"])) or fields(back, "X-Original-To") == [
        mail["From"]
    ]


def test_nobody_else_makes_such_an_address(protected: Protected, outside: Target) -> None:
    forged = f"SRS0=abcd=AA={REMOTE}=victim@{HOSTNAME}"
    assert clients.replies(protected.server, forged) == 550


def test_a_long_sender_comes_back_too(protected: Protected, outside: Target) -> None:
    sender = f"bounces+{'x' * 50}@{REMOTE}"
    mail = letter(sender, AWAY)
    clients.send(protected.server, mail, sender=sender)
    path = return_path(clients.wait_at_peer(outside, str(mail["Message-ID"]), 60))
    assert len(path.partition("@")[0]) > 64
    assert clients.replies(protected.server, path) == 250


def test_own_senders_are_not_rewritten(protected: Protected, outside: Target) -> None:
    mail = letter(ALICE, f"friend@{REMOTE}")
    clients.send(protected.server, mail, sender=ALICE, port=587, user=ALICE)
    message = clients.wait_at_peer(outside, str(mail["Message-ID"]), 60)
    assert return_path(message) == ALICE
    assert signers(message) == ["rsa1@example.org", "ed1@example.org"]
    assert fields(message, "ARC-Seal") == []


def test_a_forged_author_is_not_signed_on_the_way(protected: Protected, outside: Target) -> None:
    protected.serve(peer=outside)  # no DMARC record of ours that would refuse it
    try:
        mail = letter(ALICE, AWAY)
        clients.send(protected.server, mail, sender=somebody(REMOTE))
        assert signers(clients.wait_at_peer(outside, str(mail["Message-ID"]), 60)) == []
    finally:
        protected.serve("example.org", "example.com", peer=outside)


def test_other_mail_does_not_wait_for_postsrsd(protected: Protected, outside: Target) -> None:
    server = protected.server
    server.exec("systemctl stop postsrsd")
    try:
        sender = somebody(REMOTE)
        waits, flows = letter(sender, AWAY), letter(sender, BOB)
        for mail in (waits, flows):
            clients.send(server, mail, sender=sender)
        clients.received(server, BOB, str(flows["Message-ID"]))
        assert clients.peer_find(outside, str(waits["Message-ID"])) == []
    finally:
        server.exec("systemctl start postsrsd")
    message = clients.flush_to_peer(server, outside, str(waits["Message-ID"]))
    assert return_path(message).startswith("SRS0=")
    assert sample_accounts.HOSTNAME in return_path(message)
