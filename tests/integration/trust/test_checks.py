"""What comes in: SPF, DKIM, DMARC, and what the server says of them."""

from __future__ import annotations

import smtplib

import pytest

from tests.support import clients, sample_accounts, trust
from tests.support.sample_accounts import ALICE, BOB, CAROL, REMOTE
from tests.support.trust import (
    QUARANTINE,
    REJECT,
    SILENT,
    Protected,
    fields,
    folder_of,
    letter,
    somebody,
    verdict,
)

pytestmark = pytest.mark.postgresql


def signed(protected: Protected) -> bytes:
    """Return a message of a user as it goes out: without what was added as it arrived."""
    message_id = clients.send(protected.server, letter(ALICE, BOB), sender=ALICE, port=587, user=ALICE)
    message = clients.received(protected.server, BOB, message_id)
    return message[message.index(b"DKIM-Signature:") :]


def forward(protected: Protected, message: bytes, recipient: str) -> None:
    """Send a message as a mailing list does, with a sender of its own."""
    with clients.smtp(protected.server) as session:
        session.sendmail(somebody(SILENT), [recipient], message)


def test_signatures_of_ours_pass_where_they_arrive(protected: Protected) -> None:
    said = trust.verdict_elsewhere(protected.server, signed(protected), CAROL)
    assert said.startswith(f"{sample_accounts.HOSTNAME};")
    for passed in (
        "dkim=pass header.d=example.org header.s=rsa1",
        "dkim=pass header.d=example.org header.s=ed1",
        "dmarc=pass",
    ):
        assert passed in said


def test_a_changed_byte_is_noticed(protected: Protected) -> None:
    message = signed(protected)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        forward(protected, message.replace(b"invoice", b"invoicf"), CAROL)
    assert refused.value.smtp_code == 554
    assert "5.7.1" in str(refused.value) and "DMARC" in str(refused.value)


def test_a_forged_author_is_refused_if_the_domain_says_so(protected: Protected) -> None:
    for author in (ALICE, somebody(REJECT)):
        with pytest.raises(smtplib.SMTPDataError) as refused:
            clients.send(protected.server, letter(author, BOB), sender=somebody(SILENT))
        assert refused.value.smtp_code == 554


def test_a_forged_author_goes_to_junk_if_the_domain_says_so(protected: Protected) -> None:
    mail = letter(somebody(QUARANTINE), BOB)
    message_id = clients.send(protected.server, mail, sender=somebody(SILENT))
    assert folder_of(protected.server, BOB, message_id) == "Junk"


def test_real_authors_are_taken(protected: Protected) -> None:
    for domain in (REJECT, QUARANTINE, SILENT):
        sender = somebody(domain)
        message_id = clients.send(protected.server, letter(sender, BOB), sender=sender)
        assert folder_of(protected.server, BOB, message_id) == "INBOX"
        said = verdict(clients.received(protected.server, BOB, message_id))
        passed = ("spf=none", "dmarc=none") if domain == SILENT else ("spf=pass", "dmarc=pass")
        assert all(result in said for result in passed)


def test_what_others_claim_to_have_found_is_taken_out(protected: Protected) -> None:
    sender = somebody(REJECT)
    mail = letter(sender, BOB)
    mail["Authentication-Results"] = f"{sample_accounts.HOSTNAME}; dkim=pass header.d=bank.example"
    mail["X-Spam"] = "Yes"
    message_id = clients.send(protected.server, mail, sender=sender)
    assert folder_of(protected.server, BOB, message_id) == "INBOX"
    message = clients.received(protected.server, BOB, message_id)
    assert "bank.example" not in verdict(message)
    assert fields(message, "X-Spam") == []


def test_short_texts_in_any_script_are_no_spam(protected: Protected) -> None:
    for subject, body in (("Grüße", "Grüße!"), ("会議", "明日の会議について。"), ("Привет", "Привет!")):
        sender = somebody(REJECT)
        message_id = clients.send(protected.server, letter(sender, BOB, subject, body), sender=sender)
        assert folder_of(protected.server, BOB, message_id) == "INBOX"


def test_gtube_is_refused(protected: Protected) -> None:
    gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"
    sender = somebody(REJECT)
    with pytest.raises(smtplib.SMTPDataError) as refused:
        clients.send(protected.server, letter(sender, BOB, body=gtube), sender=sender)
    assert refused.value.smtp_code == 554


def test_moving_a_message_trains_the_filter(protected: Protected) -> None:
    def learned() -> dict[str, int]:
        ask = "redis-cli -s /run/redis-mailstack/redis.sock hmget RS learns_spam learns_ham"
        numbers = protected.server.exec(ask).stdout.splitlines()
        return {name: int(number or 0) for name, number in zip(("spam", "ham"), numbers, strict=False)}

    sender = f"seller@{REMOTE}"
    message_id = clients.send(protected.server, letter(sender, BOB), sender=somebody(SILENT))
    clients.received(protected.server, BOB, message_id)
    before = learned()
    with clients.imap(protected.server, BOB) as session:
        trust.move(session, message_id, "INBOX", "Junk")
        clients.eventually(lambda: learned()["spam"] == before["spam"] + 1, "spam was not learned")
        trust.move(session, message_id, "Junk", "INBOX")
        clients.eventually(lambda: learned()["ham"] == before["ham"] + 1, "ham was not learned")
        ham = learned()
        trust.move(session, message_id, "INBOX", "Junk")
        clients.eventually(lambda: learned()["ham"] == before["ham"], "it was not learned anew")
        trust.move(session, message_id, "Junk", "Trash")
    assert learned()["ham"] < ham["ham"]
