"""Every byte in an address, other spellings of one, and addresses that are too long."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.support import clients
from tests.support.raw_smtp import Dialogue, dialogue
from tests.support.sample_accounts import ALICE, STRANGER
from tests.targets.containers import Target

pytestmark = pytest.mark.both_engines

BYTES = [bytes([number]) for number in range(256) if number not in b"\r\n"]
ASCII = [byte for byte in BYTES if byte.isascii()]
#: The most in a session, as Postfix slows down after ten errors.
SHARE = 9
#: Places for a byte in an address that does not exist with any byte.
NOBODY = [(b"a%sb@example.org", BYTES), (b"alice@ex%s-ample.org", ASCII), (b'"a%sb"@example.org', ASCII)]
#: Places for a byte in a sender, and in an existing recipient: accepted mail must arrive.
ENVELOPES = [
    (b"a%sb@remote.example.net", b"alice@example.org", BYTES),
    (b'"a%sb"@remote.example.net', b"alice@example.org", ASCII),
    (b"stranger@remote.example.net", b"alice+a%sb@example.org", ASCII),
    (b"stranger@remote.example.net", b'"alice+a%sb"@example.org', ASCII),
    (b"stranger@remote.example.net", b'"a%sb"@all.example', ASCII),
]


#: An address of the largest length, 254 octets.
LONG = "{1}@{0}.{0}.{0}.abc".format("a" * 61, "b" * 64)
DOMAINS = ["all.example", "xn--bcher-kva.example", LONG.partition("@")[2], LONG.partition("@")[2] + "d"]


@pytest.fixture(scope="module", autouse=True)
def _more_domains(server: Target) -> Iterator[None]:
    """Yield domains with a catch-all, one of them internationalised, and two with a long name."""
    names = ", ".join(f"'{domain}'" for domain in DOMAINS)
    remove = " ".join(
        f"DELETE FROM {table} WHERE domain_name IN ({names});" for table in ("mail_alias", "mail_domain")
    )
    clients.sql(server, remove)
    clients.restart(server)  # so that what others sent in this minute is not counted: anvil(8)
    for domain in DOMAINS:
        clients.sql(
            server,
            f"INSERT INTO mail_domain (domain_name) VALUES ('{domain}');"
            f"INSERT INTO mail_alias (source_email, destination_email) VALUES ('@{domain}', '{ALICE}')",
        )
    yield
    clients.sql(server, remove)


STRANGER_WRITES = f"MAIL FROM:<{STRANGER}>\r\n".encode()


def known(connection: Dialogue) -> bool:
    """Return whether the database answers, for a new address each time, which is in no cache."""
    return connection.code(f"RCPT TO:<alice+{uuid.uuid4().hex}@example.org>\r\n".encode()) == 250


def shares(address: str, these: list[bytes]) -> Iterator[tuple[Dialogue, bytes]]:
    """Yield each byte, with a session that had only few errors."""
    for first in range(0, len(these), SHARE):
        with dialogue(address, greeted=True) as connection:
            for byte in these[first : first + SHARE]:
                yield connection, byte
                assert connection.code(b"RSET\r\n") == 250, byte


@pytest.mark.parametrize(("place", "these"), NOBODY, ids=[place.decode() for place, _ in NOBODY])
def test_no_byte_in_a_recipient_disturbs_the_next_lookup(
    server: Target, place: bytes, these: list[bytes]
) -> None:
    for connection, byte in shares(server.ip, these):
        connection.code(STRANGER_WRITES)
        assert connection.code(b"RCPT TO:<" + place.replace(b"%s", byte) + b">\r\n") // 100 == 5, byte
        assert known(connection), byte
    assert clients.log(server, "cannot escape") == []


def take(server: Target, sender: bytes, recipient: bytes, these: list[bytes], subject: str) -> list[bytes]:
    """Return the bytes with which a message was taken, each with `subject` and the byte's number in it."""
    taken = []
    for connection, byte in shares(server.ip6, these):  # as another client, for which others are counted
        code = connection.code(b"MAIL FROM:<" + sender.replace(b"%s", byte) + b">\r\n")
        if code == 250:
            code = connection.code(b"RCPT TO:<" + recipient.replace(b"%s", byte) + b">\r\n")
        if code == 250:
            taken.append(byte)
            mail = f"Subject: {subject} {byte[0]}\r\n\r\nx\r\n.\r\n".encode()
            assert [connection.code(b"DATA\r\n"), connection.code(mail)] == [354, 250]
        else:
            assert code // 100 == 5, (byte, code)
            if b"%s" in sender:
                connection.say(b"RSET\r\n", STRANGER_WRITES)
                assert known(connection), byte
    return taken


@pytest.mark.parametrize(
    ("sender", "recipient", "these"), ENVELOPES, ids=[f"{a.decode()} {b.decode()}" for a, b, _ in ENVELOPES]
)
def test_accepted_mail_arrives_with_any_byte_in_its_envelope(
    server: Target, sender: bytes, recipient: bytes, these: list[bytes]
) -> None:
    subject = uuid.uuid4().hex
    taken = take(server, sender, recipient, these, subject)
    assert {b"a", b"0", b"'", b"-", b"_"} <= set(taken)
    clients.wait_for_empty_queue(server)
    with clients.imap(server, ALICE) as session:
        there = clients.fields(session, "Subject")
        ours = {number: text for number, text in there.items() if text.startswith(subject)}
        session.store(",".join(ours), "+FLAGS", "\\Deleted")
        session.expunge()
    assert sorted(ours.values()) == sorted(f"{subject} {byte[0]}" for byte in taken)


#: How an address may be written, and the code it gets at RCPT.
SPELLINGS: dict[str, int] = {
    '<"alice"@example.org>': 250,
    '<"alice+tag"@example.org>': 250,
    '<"al\\ice"@example.org>': 250,
    "<aLiCe@eXaMpLe.OrG>": 250,
    "<alice@example.org.>": 250,
    "<@a.example,@b.example:alice@example.org>": 250,
    "<jo@xn--bcher-kva.example>": 250,
    "<JO@XN--BCHER-KVA.EXAMPLE>": 250,
    "<jo@b\u00fccher.example>": 501,
    "<jo@bu\u0308cher.example>": 501,
    "<j\u00f6@xn--bcher-kva.example>": 553,
    '<"john doe"@example.org>': 550,
    '<"john doe"@all.example>': 250,
    '<" "@example.org>': 550,
    '<""@example.org>': 501,
    '<"alice@example.org"@example.org>': 554,
    '<"alice"."x"@example.org>': 550,
    f"<{'a' * 64}@all.example>": 250,
    f"<{'a' * 65}@all.example>": 501,
    f"<alice+{'a' * 58}@example.org>": 250,
    f"<alice+{'a' * 59}@example.org>": 501,
    f'<"{"a" * 65}"@all.example>': 501,
    f"<a@{'b' * 63}.all.example>": 554,
}


def test_each_spelling_of_an_address(server: Target) -> None:
    found = {}
    for address in SPELLINGS:
        with dialogue(server, greeted=True) as connection:
            connection.code(f"MAIL FROM:<{STRANGER}>\r\n".encode())
            found[address] = connection.code(f"RCPT TO:{address}\r\n".encode())
            assert known(connection)
    assert found == SPELLINGS


def test_an_address_of_254_octets_and_one_of_255(server: Target) -> None:
    assert len(LONG) == 254
    assert [clients.replies(server, address) for address in (LONG, f"{LONG}d")] == [250, 501]
