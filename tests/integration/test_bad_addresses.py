"""Every byte in an address, other spellings of one, and addresses that are too long."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.integration import clients
from tests.integration.dialogues import Dialogue, dialogue
from tests.integration.world import ALICE, STRANGER
from tests.targets.containers import Target

BYTES = [bytes([number]) for number in range(256) if number not in b"\r\n"]
#: So many in a session: after ten errors Postfix takes its time.
SHARE = 5
#: Places for a byte where the address is nobody's, whatever the byte is.
NOBODY = [b"a%sb@example.org", b"alice@ex%s-ample.org", b'"a%sb"@example.org']
#: Places for a byte in a sender, and in a recipient who is somebody: what is taken must arrive.
ENVELOPES = [
    (b"a%sb@remote.example.net", b"alice@example.org"),
    (b'"a%sb"@remote.example.net', b"alice@example.org"),
    (b"stranger@remote.example.net", b"alice+a%sb@example.org"),
    (b"stranger@remote.example.net", b'"alice+a%sb"@example.org'),
    (b"stranger@remote.example.net", b'"a%sb"@all.example'),
]


#: An address with as many octets as there may be, 254.
LONG = "{1}@{0}.{0}.{0}.abc".format("a" * 61, "b" * 63)
DOMAINS = ["all.example", "xn--bcher-kva.example", LONG.partition("@")[2], LONG.partition("@")[2] + "d"]


@pytest.fixture(scope="module", autouse=True)
def _more_domains(server: Target) -> Iterator[None]:
    """Domains with a catch-all, one of them internationalised, and two with a long name."""
    names = ", ".join(f"'{domain}'" for domain in DOMAINS)
    remove = " ".join(
        f"DELETE FROM {table} WHERE domain_name IN ({names});" for table in ("mail_alias", "mail_domain")
    )
    clients.sql(server, remove)
    for domain in DOMAINS:
        clients.sql(
            server,
            f"INSERT INTO mail_domain VALUES ('{domain}');"
            f"INSERT INTO mail_alias (source_email, destination_email) VALUES ('@{domain}', '{ALICE}')",
        )
    yield
    clients.sql(server, remove)


def known(connection: Dialogue) -> bool:
    """Whether the database answers; about another address each time, which nobody can have remembered."""
    return connection.code(f"RCPT TO:<alice+{uuid.uuid4().hex}@example.org>\r\n".encode()) == 250


@pytest.mark.parametrize("place", NOBODY, ids=repr)
def test_no_byte_in_a_recipient_disturbs_the_next_lookup(server: Target, place: bytes) -> None:
    for first in range(0, len(BYTES), SHARE):
        with dialogue(server, greeted=True) as connection:
            assert connection.code(f"MAIL FROM:<{STRANGER}>\r\n".encode()) == 250
            for byte in BYTES[first : first + SHARE]:
                assert connection.code(b"RCPT TO:<" + place % byte + b">\r\n") // 100 == 5, byte
                assert known(connection), byte
    assert clients.log(server, "cannot escape") == []


def take(server: Target, sender: bytes, recipient: bytes, subject: str) -> list[bytes]:
    """The bytes with which a message was taken, each with `subject` and the byte's number in it."""
    taken = []
    for first in range(0, len(BYTES), SHARE):
        with dialogue(server, greeted=True) as connection:
            for byte in BYTES[first : first + SHARE]:
                code = connection.code(b"MAIL FROM:<" + sender.replace(b"%s", byte) + b">\r\n")
                if code == 250:
                    code = connection.code(b"RCPT TO:<" + recipient.replace(b"%s", byte) + b">\r\n")
                if code == 250:
                    taken.append(byte)
                    mail = f"Subject: {subject} {byte[0]}\r\n\r\nx\r\n.\r\n".encode()
                    assert [connection.code(b"DATA\r\n"), connection.code(mail)] == [354, 250]
                    continue
                assert code // 100 == 5, (byte, code)
                connection.code(b"RSET\r\n")
                connection.code(f"MAIL FROM:<{STRANGER}>\r\n".encode())
                assert known(connection), byte
                connection.code(b"RSET\r\n")
    return taken


@pytest.mark.parametrize(("sender", "recipient"), ENVELOPES, ids=repr)
def test_what_is_taken_arrives_whatever_byte_is_in_its_envelope(
    server: Target, sender: bytes, recipient: bytes
) -> None:
    subject = uuid.uuid4().hex
    taken = take(server, sender, recipient, subject)
    assert {b"a", b"0", b"'", b"-", b"_"} <= set(taken)
    with clients.imap(server, ALICE) as session:

        def numbers() -> list[str]:
            session.noop()
            return str(session.search(None, "SUBJECT", subject)[1][0], "ascii").split()

        clients.eventually(lambda: len(numbers()) == len(taken), f"not all {len(taken)} arrive")
        session.store(",".join(numbers()), "+FLAGS", "\\Deleted")
    clients.wait_for_empty_queue(server)
    assert clients.log(server, "status=(bounced|expired)|sender non-delivery") == []


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
    "<jo@b\u00fccher.example>": 550,
    "<jo@bu\u0308cher.example>": 550,
    "<j\u00f6@xn--bcher-kva.example>": 550,
    '<"john doe"@example.org>': 550,
    '<"john doe"@all.example>': 250,
    '<" "@example.org>': 550,
    '<""@example.org>': 501,
    '<"alice@example.org"@example.org>': 550,
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
    longer = [f"{LONG}d", LONG.replace("@", "b@"), LONG.replace("@", "bb@")]
    assert [clients.replies(server, address) for address in (LONG, *longer)] == [250, 501, 501, 501]
