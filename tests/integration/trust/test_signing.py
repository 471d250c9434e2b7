"""DKIM (RFC 6376): what leaves is signed for the domain in From, and nothing else is."""

from __future__ import annotations

import uuid

import pytest

from tests.support import clients, dns, managesieve, sample_accounts, trust
from tests.support.sample_accounts import ALICE, BOB, CAROL
from tests.support.temporary_users import guests
from tests.support.trust import Protected, fields, letter, signers
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

BOTH = ["rsa1@example.org", "ed1@example.org"]


def sent(target: Target, user: str, sender: str, author: str, recipient: str = BOB) -> bytes:
    """Return a message that a user sent, as it arrives."""
    message_id = clients.send(target, letter(author, recipient), sender=sender, port=587, user=user)
    return clients.received(target, recipient, message_id)


def by_sendmail(target: Target, message: str, sender: str, recipient: str, message_id: str) -> bytes:
    """Return a message that the host itself sent, as it arrives."""
    text = f"Message-ID: {message_id}\nTo: {recipient}\n{message}\n"
    target.exec(["sendmail", "-f", sender, recipient], input=text)
    return clients.received(target, recipient, message_id)


def arrived(target: Target, user: str, criteria: str) -> bytes:
    """Return the message in a user's INBOX that IMAP's SEARCH finds by these criteria, once it is there."""

    def look() -> bytes:
        with clients.imap(target, user) as session:
            numbers = session.search(None, criteria)[1][0].split()
            if not numbers:
                return b""
            _, ((_, message), *_) = session.fetch(numbers[-1].decode(), "(BODY.PEEK[])")  # type: ignore[misc]
            return message  # type: ignore[return-value]

    return clients.eventually(look, f"no message with {criteria}")


def test_users_mail_has_both_signatures(protected: Protected) -> None:
    assert signers(sent(protected.server, ALICE, ALICE, ALICE)) == BOTH


def test_no_user_signs_for_the_domain_of_another(protected: Protected) -> None:
    # Postfix checks the envelope, not From
    assert signers(sent(protected.server, ALICE, ALICE, CAROL)) == []


def test_mail_of_the_host_itself_is_signed(protected: Protected) -> None:
    text = f"From: {ALICE}\nSubject: From cron\n\nDone."
    message = by_sendmail(protected.server, text, ALICE, BOB, "<cron@mail.example.org>")
    assert signers(message) == BOTH


def test_a_redirect_is_not_signed(protected: Protected) -> None:
    # its author may be anybody who wrote this From
    text = f"X-Sieve-Redirected-From: {ALICE}\nFrom: {ALICE}\nSubject: Passed on\n\nHello."
    message = by_sendmail(protected.server, text, ALICE, BOB, "<redirect@mail.example.org>")
    assert signers(message) == []


def test_a_bounce_is_signed(protected: Protected) -> None:
    mail = letter(ALICE, f"nobody@{sample_accounts.HOSTNAME}.invalid")
    clients.send(protected.server, mail, sender=ALICE, port=587, user=ALICE)
    hostname = sample_accounts.HOSTNAME
    bounce = arrived(protected.server, ALICE, f'FROM MAILER-DAEMON TEXT "{mail["Message-ID"]}"')
    assert signers(bounce) == [f"rsa1@{hostname}", f"ed1@{hostname}"]


def test_sieve_signs_for_no_other_domain(protected: Protected) -> None:
    server = protected.server
    scripts = {
        "vacation": f'require "vacation"; vacation :from "{CAROL}" :subject "Away" "Pay carol.";',
        "notify": f'require "enotify"; notify :from "{CAROL}" :message "Pay" "mailto:{BOB}";',
    }
    with guests(server, "absent") as (user,):
        for kind, script in scripts.items():
            managesieve.install(server, user, script)
            mail = letter(BOB, user, f"For {kind} {uuid.uuid4()}")
            clients.send(server, mail, sender=BOB, port=587, user=BOB)
            found = f'HEADER In-Reply-To "{mail["Message-ID"]}"' if kind == "vacation" else 'SUBJECT "Pay"'
            answer = arrived(server, BOB, f"{found} FROM {CAROL}")
            assert signers(answer) == [], kind


def test_a_receipt_is_signed(protected: Protected) -> None:
    """With an empty envelope sender, as RFC 8098 asks."""
    for author, selectors in ((ALICE, BOTH), (CAROL, [])):
        mail = letter(author, BOB, "Read: the numbers")
        message_id = clients.send(protected.server, mail, sender="", port=587, user=ALICE)
        assert signers(clients.received(protected.server, BOB, message_id)) == selectors


def test_a_users_claim_of_what_was_checked_is_taken_out(protected: Protected) -> None:
    mail = letter(ALICE, BOB)
    mail["Authentication-Results"] = f"{sample_accounts.HOSTNAME}; dkim=pass header.d=bank.example"
    message_id = clients.send(protected.server, mail, sender=ALICE, port=587, user=ALICE)
    message = clients.received(protected.server, BOB, message_id)
    assert fields(message, "Authentication-Results") == []


def test_a_vacation_reply_is_signed(protected: Protected) -> None:
    with guests(protected.server, "absent") as (user,):
        script = 'require "vacation"; vacation :subject "Away" "Back in May.";'
        managesieve.install(protected.server, user, script)
        mail = letter(BOB, user)
        clients.send(protected.server, mail, sender=BOB, port=587, user=BOB)
        reply = arrived(protected.server, BOB, f'HEADER In-Reply-To "{mail["Message-ID"]}"')
    assert signers(reply) == BOTH


def test_a_stranger_is_not_signed(protected: Protected) -> None:
    # with our domain in From and a sender of their own, which Postfix lets through
    protected.serve()  # no DMARC record of ours that would refuse it
    sender = trust.somebody(trust.SILENT)
    try:
        message_id = clients.send(protected.server, letter(ALICE, BOB), sender=sender)
        assert signers(clients.received(protected.server, BOB, message_id)) == []
    finally:
        protected.serve("example.org", "example.com")


def test_a_domain_that_sql_adds_is_signed_within_a_minute(protected: Protected) -> None:
    server = protected.server
    # also one for which somebody else had a key there
    there = "/var/lib/rspamd/dkim/new.example"
    server.exec(f"mkdir -m 700 {there} && cd {there} && install -g _rspamd -m 640 /dev/null mail.key")
    clients.sql(
        server,
        "INSERT INTO mail_domain (domain_name) VALUES ('new.example');"
        f"INSERT INTO mail_sender (email, sender_email) VALUES ('{ALICE}', '@new.example');",
    )
    protected.serve("example.org", "example.com", "new.example")  # which waits for the keys
    message = sent(server, ALICE, "amy@new.example", "amy@new.example")
    assert signers(message) == ["rsa1@new.example", "ed1@new.example"]
    clients.sql(
        server,
        "DELETE FROM mail_sender WHERE sender_email = '@new.example';"
        "DELETE FROM mail_domain WHERE domain_name = 'new.example'",
    )
    idle = f"test -s {there}/idle && test ! -e {there}/current && test -s {there}/rsa1.key"
    clients.eventually(lambda: not server.exec(idle, check=False).returncode, "it is signed for still", 180)
    text = "From: amy@new.example\nSubject: After the domain\n\nHello\n"
    message = by_sendmail(server, text, "amy@new.example", BOB, "<after@new.example>")
    assert signers(message) == []


def test_new_keys_sign_once_they_are_published(protected: Protected) -> None:
    server = protected.server
    publish = ("-y", "--json", "mailstack.dkim.publish", "example.com")
    assert server.pyinfra(*publish).check().changed != []
    assert server.pyinfra(*publish).check().changed == []
    assert signers(sent(server, CAROL, CAROL, CAROL)) == ["rsa1@example.com", "ed1@example.com"]
    protected.serve("example.org", "example.com")
    switch = ("-y", "--json", "mailstack.dkim.switch", "example.com")
    assert server.pyinfra(*switch).check().changed != []
    assert server.pyinfra(*switch).check().changed == []
    message = sent(server, CAROL, CAROL, CAROL)
    assert signers(message) == ["rsa2@example.com", "ed2@example.com"]
    said = trust.verdict_elsewhere(server, message, ALICE)
    assert "header.s=rsa2" in said and "header.s=ed2" in said and "dkim=fail" not in said
    retire = ("-y", "--json", "mailstack.dkim.retire", "example.com")
    assert server.pyinfra(*retire).check().changed == [], "mail may be on its way for a week"
    assert server.pyinfra(*retire, "now=True").check().changed != []
    assert [key.selector for key in dns.keys(server, "example.com")] == ["ed2", "rsa2"]
    assert signers(sent(server, CAROL, CAROL, CAROL)) == ["rsa2@example.com", "ed2@example.com"]


def test_records_are_a_fact(protected: Protected) -> None:
    fact = ("--json", "fact", "mailstack.facts.DkimKeys", "domains=example.org")
    printed = protected.server.pyinfra(*fact).check().stdout
    assert '"rsa1._domainkey.example.org"' in printed and "v=DKIM1; k=ed25519" in printed
    assert "PRIVATE" not in printed


def test_keys_are_for_root_and_rspamd_alone(protected: Protected) -> None:
    listed = protected.server.exec("find /var/lib/rspamd/dkim -printf '%u %g %m\n' | sort -u").stdout
    assert listed.splitlines() == ["root _rspamd 640", "root _rspamd 750"]
    refused = protected.server.exec(
        "runuser -u nobody -- cat /var/lib/rspamd/dkim/example.org/rsa1.key", check=False
    )
    assert refused.returncode != 0
