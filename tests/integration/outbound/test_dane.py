"""DANE (RFC 7672): the DNS of a receiver names its certificate, and no other is accepted."""

from __future__ import annotations

import pytest

from tests.support.receiver import SELF_SIGNED, WRONG, Receiver

pytestmark = pytest.mark.postgresql


@pytest.fixture(autouse=True)
def self_signed(receiver: Receiver) -> None:
    """Use a certificate that no CA has signed."""
    receiver.use(SELF_SIGNED)


def test_the_certificate_that_the_dns_names_is_verified(receiver: Receiver) -> None:
    receiver.publish("dane.example", tlsa=[receiver.tlsa(SELF_SIGNED)])
    message_id = receiver.send("dane.example")
    assert b"TLSv1.3" in receiver.arrives(message_id)
    assert "Verified" in receiver.connections("dane.example", message_id)[-1]


def test_one_of_two_keys_is_enough(receiver: Receiver) -> None:
    """As while a key is replaced."""
    receiver.publish("two.example", tlsa=[WRONG, receiver.tlsa(SELF_SIGNED)])
    assert receiver.arrives(receiver.send("two.example"))


def test_with_another_certificate_mail_waits(receiver: Receiver) -> None:
    receiver.publish("wrong.example", tlsa=[WRONG])
    message_id = receiver.send("wrong.example")
    assert "Server certificate not" in receiver.waits("wrong.example")
    receiver.publish("wrong.example", tlsa=[receiver.tlsa(SELF_SIGNED)], keep=True)
    assert receiver.arrives(message_id)


def test_without_tls_nothing_is_sent(receiver: Receiver) -> None:
    receiver.publish("clear.example", tlsa=[receiver.tlsa(SELF_SIGNED)])
    receiver.use(SELF_SIGNED, level="none")
    message_id = receiver.send("clear.example")
    assert "TLS is required" in receiver.waits("clear.example")
    receiver.use(SELF_SIGNED)
    assert b"TLSv1.3" in receiver.arrives(message_id)


def test_a_domain_without_records_gets_mail_as_before(receiver: Receiver) -> None:
    receiver.publish("plain.example")
    message_id = receiver.send("plain.example")
    assert b"TLSv1.3" in receiver.arrives(message_id)
    assert "Untrusted" in receiver.connections("plain.example", message_id)[-1]
    receiver.use(SELF_SIGNED, level="none")
    receiver.publish("plain2.example")
    assert b"TLSv1" not in receiver.arrives(receiver.send("plain2.example"))


def test_an_exception_of_the_administrator_wins(receiver: Receiver) -> None:
    receiver.publish("lenient.example", "x.lenient.example", tlsa=[WRONG])
    for domain in ("lenient.example", "x.lenient.example"):
        assert receiver.arrives(receiver.send(domain))
