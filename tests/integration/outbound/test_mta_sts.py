"""MTA-STS (RFC 8461): a domain's policy names its servers, whose certificates must be trusted. DANE wins."""

from __future__ import annotations

import socket

import pytest

from tests.support import clients
from tests.support.receiver import SELF_SIGNED, SERVER, SIGNED, WRONG, Receiver

pytestmark = pytest.mark.postgresql

ENFORCED = f"mode: enforce,mx: {SERVER}"
DAEMONS = ("postfix-mta-sts-resolver", "mailstack-dane")


def test_a_trusted_certificate_is_verified_and_another_is_not(receiver: Receiver) -> None:
    receiver.use(SELF_SIGNED)
    receiver.publish("sts.example", policies={"sts.example": ENFORCED})
    message_id = receiver.send("sts.example")
    assert "Server certificate not" in receiver.waits("sts.example")
    receiver.use(SIGNED)
    assert b"TLSv1.3" in receiver.arrives(message_id)
    assert "Verified" in receiver.connections("sts.example", message_id)[-1]


def test_the_server_must_be_one_of_the_policy(receiver: Receiver) -> None:
    receiver.use(SIGNED)
    receiver.publish("strict.example", policies={"strict.example": "mode: enforce,mx: other.example"})
    receiver.send("strict.example")
    assert "Server certificate not" in receiver.waits("strict.example")


def test_a_domain_that_only_tests_gets_its_mail(receiver: Receiver) -> None:
    receiver.use(SELF_SIGNED)
    receiver.publish("testing.example", policies={"testing.example": f"mode: testing,mx: {SERVER}"})
    assert receiver.arrives(receiver.send("testing.example"))


def test_dane_wins(receiver: Receiver) -> None:
    receiver.use(SELF_SIGNED)
    policies = {"both.example": ENFORCED}
    receiver.publish("both.example", tlsa=[receiver.tlsa(SELF_SIGNED)], policies=policies)
    message_id = receiver.send("both.example")
    assert receiver.arrives(message_id)
    assert "Verified" in receiver.connections("both.example", message_id)[-1]
    receiver.use(SIGNED)
    receiver.publish("both.example", tlsa=[WRONG], policies=policies)
    receiver.send("both.example")
    assert "Server certificate not" in receiver.waits("both.example")


def test_an_exception_of_the_administrator_wins(receiver: Receiver) -> None:
    receiver.use(SELF_SIGNED)
    domains = ("lenient.example", "x.lenient.example")
    receiver.publish(*domains, policies=dict.fromkeys(domains, ENFORCED))
    for domain in domains:
        assert receiver.arrives(receiver.send(domain))


@pytest.mark.parametrize("daemon", DAEMONS)
def test_without_it_mail_waits_and_goes_out_when_it_is_back(receiver: Receiver, daemon: str) -> None:
    receiver.publish("plain.example")
    receiver.sender.exec(f"systemctl stop {daemon}")
    try:
        message_id = receiver.send("plain.example")
        assert "TLS configuration problem" in receiver.waits("plain.example")
    finally:
        receiver.sender.exec(f"systemctl start {daemon}")
    # by itself, long before Postfix would try again
    assert clients.wait_at_peer(receiver.peer, message_id, 120)


def process(receiver: Receiver, daemon: str) -> str | None:
    """Return the main process of a daemon that is up. systemd notices a kill a moment later."""
    show = ["systemctl", "show", "-p", "ActiveState,MainPID", "--value", daemon]
    said = set(receiver.sender.exec(show).stdout.split())
    return (said - {"active"}).pop() if "active" in said and "0" not in said else None


@pytest.mark.parametrize("daemon", DAEMONS)
def test_killed_it_comes_back_and_frozen_it_loses_nothing(receiver: Receiver, daemon: str) -> None:
    receiver.publish("plain.example")
    before = process(receiver, daemon)
    receiver.sender.exec(f"systemctl kill -s KILL {daemon}")
    clients.eventually(lambda: process(receiver, daemon) not in (before, None), "it did not come back", 60)
    receiver.sender.exec(f"systemctl kill -s STOP {daemon}")
    try:
        message_id = receiver.send("plain.example")
    finally:
        receiver.sender.exec(f"systemctl kill -s CONT {daemon}")
    assert receiver.arrives(message_id)


@pytest.mark.parametrize("port", [8461, 8462])
def test_other_hosts_do_not_reach_it(receiver: Receiver, port: int) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((receiver.sender.ip, port), clients.TIMEOUT).close()
