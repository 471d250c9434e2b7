"""A stranger on port 25: accepted mail, its mailbox, and mail refused at once."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, CAROL, DAVE, ERIN, REMOTE, STRANGER
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines_everywhere

#: Legal local parts that a quoting mistake on the way through SQL, LMTP or the file system breaks.
ODD = ["o'brien", "a.b-c_d", "#$&'*=?^_{|}~-x", "user.name"]

#: Accounts beside `sample_accounts`: chains, circles and dead ends of aliases, and a domain with a catch-all.
ACCOUNTS = """
INSERT INTO mail_domain (domain_name) VALUES ('all.example');
INSERT INTO mail_users (email, password, mail_directory)
    SELECT address, password, address FROM mail_users, (SELECT 'real@all.example' AS address
        UNION ALL SELECT 'tagged@example.org' UNION ALL SELECT 'tick@example.org'
        UNION ALL SELECT 'tock@example.org' {odd}) AS more
    WHERE email = 'alice@example.org';
INSERT INTO mail_alias (source_email, destination_email) VALUES
    ('@all.example', 'alice@example.org'),
    ('named@all.example', 'bob@example.org'),
    ('first@example.org', 'second@example.com'), ('second@example.com', 'carol@example.com'),
    ('half@example.org', 'alice@example.org'), ('half@example.org', 'dave@example.org'),
    ('loop@example.org', 'pool@example.org'), ('pool@example.org', 'loop@example.org'),
    ('self@example.org', 'self@example.org'),
    ('round@example.org', 'around@example.org'), ('around@example.org', 'round@example.org'),
    ('around@example.org', 'alice@example.org'),
    ('tagged@example.org', 'tagged+x@example.org'),
    ('tick@example.org', 'tock+x@example.org'), ('tock@example.org', 'tick@example.org'),
    ('nobody@example.org', 'unknown@example.org'), ('off@example.org', 'dave@example.org'),
    ('shut@example.org', 'erin@disabled.example'), ('chained@example.org', 'off@example.org');
""".format(
    odd="".join(" UNION ALL SELECT '{}@example.org'".format(local.replace("'", "''")) for local in ODD)
)
#: Circles as they are from before the database refused them.
UNCHECKED = {
    "postgresql": "SET session_replication_role = replica;",
    "mysql": "DROP TRIGGER mailstack_circle_insert;",
}


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server with `ACCOUNTS`, which has no other mail in transit."""
    target = module_clone("receiving")
    clients.sql(target, UNCHECKED[sample_accounts.ENGINE] + ACCOUNTS)
    return target


def delivered(host: Target, recipient: str, *mailboxes: str, sender: str = STRANGER) -> bytes:
    """Send a message to `recipient`; assert that each mailbox gets it once, and return the last copy."""
    message_id = clients.send(host, clients.message(sender, recipient), recipient, sender=sender)
    for mailbox in mailboxes:
        mail = clients.received(host, mailbox, message_id, password=password(mailbox))
    clients.wait_for_empty_queue(host)
    for mailbox in mailboxes:
        with clients.imap(host, mailbox, password=password(mailbox)) as session:
            assert len(clients.find(session, message_id)) == 1, mailbox
    return mail


def password(mailbox: str) -> str:
    """Return the password of a mailbox: Alice's, unless it is in `sample_accounts`."""
    return sample_accounts.PASSWORDS.get(mailbox, sample_accounts.PASSWORDS[ALICE])


@pytest.mark.parametrize("port", [143, 993])
def test_a_stranger_delivers_and_the_owner_reads(host: Target, port: int) -> None:
    mail = clients.message(STRANGER, ALICE, body="Zwölf Boxkämpfer\n")
    message_id = clients.send(host, mail)
    with clients.imap(host, ALICE, port) as session:
        copy = clients.wait_for_mail(session, message_id)
    assert copy.startswith(f"Return-Path: <{STRANGER}>\r\nDelivered-To: {ALICE}\r\n".encode())
    assert copy.endswith(mail.as_bytes().partition(b"\n\n")[2].replace(b"\n", b"\r\n"))


def test_it_is_the_same_over_ipv6(host: Target) -> None:
    message_id = clients.send(host, clients.message(STRANGER, ALICE), ipv6=True)
    with clients.imap(host, ALICE, ipv6=True) as session:
        assert f"[IPv6:{host.network.subnet6.partition('::')[0]}".encode() in clients.wait_for_mail(
            session, message_id
        )


def test_a_stranger_may_use_tls(host: Target, peer: Target) -> None:
    transcript = clients.swaks(peer, host, "--tls", "--from", STRANGER, "--to", ALICE, "--body", "over TLS")
    assert transcript.returncode == 0, transcript.stdout
    assert "<-  250-STARTTLS" in transcript.stdout
    assert "=== TLS started with cipher TLSv1.3:" in transcript.stdout
    assert clients.codes(transcript.stdout)[-2:] == [250, 221]
    clients.wait_for_empty_queue(host)
    with clients.imap(host, ALICE) as session:
        assert session.search(None, "BODY", '"over TLS"', "HEADER", "Received", "TLSv1.3")[1] != [b""]


def test_a_stranger_need_not_use_tls(host: Target, peer: Target) -> None:
    transcript = clients.swaks(peer, host, "--from", STRANGER, "--to", ALICE)
    assert transcript.returncode == 0, transcript.stdout


def test_an_alias_reaches_each_of_its_targets(host: Target) -> None:
    delivered(host, "info@example.org", ALICE)
    delivered(host, "team@example.org", ALICE, BOB, CAROL)


def test_an_alias_may_lead_elsewhere(host: Target, peer: Target) -> None:
    for alias, here in (("away@example.org", []), ("both@example.org", [BOB])):
        message_id = clients.send(host, clients.message(STRANGER, alias))
        copy = clients.wait_at_peer(peer, message_id)
        assert f"Return-Path: <{STRANGER}>".encode() in copy
        assert f"Delivered-To: {alias.partition('@')[0]}@{REMOTE}".encode() in copy
        for mailbox in here:
            assert clients.received(host, mailbox, message_id)
        clients.wait_for_empty_queue(host)
        assert len(clients.peer_find(peer, message_id)) == 1


def test_chains_and_circles_of_aliases_end_at_the_mailboxes(host: Target) -> None:
    delivered(host, "first@example.org", CAROL)
    delivered(host, "half@example.org", ALICE)
    delivered(host, "round@example.org", ALICE)
    # Postfix would add the detail again and again: it is mail for the mailboxes of these names
    for address in ("tagged@example.org", "tick@example.org", "tock@example.org"):
        delivered(host, address, address)


def test_a_catch_all_gets_all_other_mail(host: Target) -> None:
    delivered(host, "whatever@all.example", ALICE)
    delivered(host, "named@all.example", BOB)
    message_id = clients.send(host, clients.message(STRANGER, "real@all.example"))
    assert clients.received(host, "real@all.example", message_id, password(ALICE))
    clients.wait_for_empty_queue(host)
    with clients.imap(host, ALICE) as session:
        assert not clients.find(session, message_id)


def test_missing_recipients_are_refused_at_once(host: Target) -> None:
    addresses = [
        "unknown@example.org",
        "unknown+tag@example.org",
        "example.org@example.org",
        DAVE,
        ERIN,
        "unknown@disabled.example",
        "postmaster@disabled.example",
        "old@example.org",
        "alias@disabled.example",
        "nobody@example.org",
        "off@example.org",
        "chained@example.org",
        "shut@example.org",
        "loop@example.org",
        "pool@example.org",
        "self@example.org",
    ]
    assert {address: clients.replies(host, address) for address in addresses} == dict.fromkeys(addresses, 550)


def test_accounts_of_the_host_itself_get_nothing_from_outside(host: Target) -> None:
    locals_ = ["daemon", "postfix", "postgres", "vmail", "nobody"]
    codes = {name: clients.replies(host, f"{name}@{sample_accounts.HOSTNAME}") for name in locals_}
    assert codes == dict.fromkeys(locals_, 550)
    assert clients.replies(host, "root@localhost") == 504
    assert clients.replies(host, f"root.x@{sample_accounts.HOSTNAME}") == 550
    # without a domain it is no address (RFC 5321, 4.1.2)
    assert {name: clients.replies(host, name) // 100 for name in locals_} == dict.fromkeys(locals_, 5)


def test_root_has_answers_and_bounces_from_outside(host: Target) -> None:
    """Mail of the host itself comes from root."""
    address = f"root@{sample_accounts.HOSTNAME}"
    for recipient, sender in (
        (address, STRANGER),
        (address, ""),
        (f"ROOT+cron@{sample_accounts.HOSTNAME}", ""),
    ):
        message_id = clients.send(host, clients.message(STRANGER, recipient), recipient, sender=sender)
        clients.wait_for_local_mail(host, f"Message-ID: {message_id}")


def test_nothing_is_relayed(host: Target) -> None:
    for sender in (STRANGER, "", "someone@elsewhere.example"):
        # never a 4xx: what is refused for good must not come again
        assert clients.replies(host, f"someone@{REMOTE}", sender) == 554
        assert clients.replies(host, "someone@sub.example.org", sender) == 554
    tricks = [
        f"someone%{REMOTE}@example.org",
        f"someone%{REMOTE}@{sample_accounts.HOSTNAME}",
        f"someone%{REMOTE}",
        f"{REMOTE}!someone",
        f"{REMOTE}!someone@{sample_accounts.HOSTNAME}",
        f'"someone@{REMOTE}"@example.org',
        f'"someone@{REMOTE}"',
        f"@example.org:someone@{REMOTE}",
        f"someone@{REMOTE}@example.org",
        f"someone@[{host.ip}]@{REMOTE}",
    ]
    assert {trick: clients.replies(host, f"<{trick}>") // 100 for trick in tricks} == dict.fromkeys(tricks, 5)


def test_a_stranger_may_not_use_a_sender_of_this_server(host: Target) -> None:
    ours = [BOB, BOB.upper(), "info@example.org", "unknown@example.org", ERIN, "bob+tag@example.org"]
    ours += [f"root@{sample_accounts.HOSTNAME}", f"anybody@{sample_accounts.HOSTNAME.upper()}"]
    assert {sender: clients.replies(host, ALICE, sender) for sender in ours} == dict.fromkeys(ours, 550)
    theirs = [STRANGER, "", "someone@sub.example.org", "someone@notexample.org"]
    assert {sender: clients.replies(host, ALICE, sender) for sender in theirs} == dict.fromkeys(theirs, 250)


def test_a_tag_does_not_change_whose_mail_it_is(host: Target) -> None:
    assert b"\r\nDelivered-To: alice+tag@example.org\r\n" in delivered(host, "alice+tag@example.org", ALICE)
    delivered(host, "info+tag@example.org", ALICE)
    delivered(host, "real+tag@all.example", "real@all.example")


def test_letters_are_the_same_in_either_case(host: Target) -> None:
    delivered(host, "ALICE@EXAMPLE.ORG", ALICE)
    delivered(host, "Team@Example.Org", ALICE, BOB, CAROL)


def test_bounces_are_accepted(host: Target) -> None:
    assert delivered(host, ALICE, ALICE, sender="").startswith(b"Return-Path: <>\r\n")


def test_odd_local_parts_are_accepted_and_delivered(host: Target) -> None:
    for local in ODD:
        delivered(host, f"{local}@example.org", f"{local}@example.org")


def test_every_domain_has_a_postmaster(host: Target) -> None:
    addresses = [f"Postmaster@{domain}" for domain in ("example.org", "example.com", "all.example")]
    for address in [*addresses, f"postmaster@{sample_accounts.HOSTNAME}", "postmaster"]:
        message_id = clients.send(host, clients.message(STRANGER, address), address)
        clients.wait_for_local_mail(host, f"Message-ID: {message_id}")


def test_too_large_mail_is_refused_before_it_is_sent(host: Target) -> None:
    with clients.smtp(host) as session:
        limit = int(session.esmtp_features["size"])
        assert session.mail(STRANGER, [f"SIZE={limit + 1}"])[0] == 552


def test_no_mail_was_deferred_or_bounced(host: Target) -> None:
    clients.wait_for_empty_queue(host)
    assert len(clients.log(host, "status=sent")) > 30
    assert clients.log(host, "status=(deferred|bounced|expired)|sender non-delivery") == []
    # nor anything else that strangers did not provoke
    strangers = r"hostname \S+ does not resolve|Illegal address syntax|non-SMTP command"
    assert clients.log(host, rf"(fatal|panic|error): |warning: (?!{strangers})") == []
