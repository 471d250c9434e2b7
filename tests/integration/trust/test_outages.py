"""Hundreds of messages, while each service of the filter is killed and stopped in its turn."""

from __future__ import annotations

import time

import pytest

from tests.support import clients
from tests.support.numbered_traffic import Watch, watch
from tests.support.sample_accounts import ALICE, BOB
from tests.support.trust import Protected, letter, signers

pytestmark = pytest.mark.postgresql

SERVICES = ("rspamd", "redis-server@mailstack", "unbound")
MESSAGES = 500


def wait_for_more(watching: Watch, number: int) -> None:
    """Wait until so many more messages were accepted; after two minutes without one, mail does not flow."""
    wanted = len(watching.accepted) + number
    while (before := len(watching.accepted)) < wanted:
        complaint = f"no mail is accepted: {watching.answers[-6:]}"
        clients.eventually(lambda: len(watching.accepted) > before, complaint, 120)


def test_no_message_is_lost_or_bounced(quick: Protected) -> None:
    host = quick.server
    with watch(host, pause=0.05) as watching:
        for service in SERVICES:
            host.exec(f"systemctl kill -s KILL {service}")
            wait_for_more(watching, 50)
            host.exec(f"systemctl stop {service}")
            time.sleep(3)  # so that some mail comes meanwhile
            host.exec(f"systemctl start {service}")
            wait_for_more(watching, 50)
        wait_for_more(watching, max(0, MESSAGES - len(watching.accepted)))
    permanent = [answer for answer in watching.answers if answer.kind == "25" and answer.text.startswith("5")]
    assert permanent == []
    assert clients.log(host, "to=<(alice|bob)@example.org>.* status=(bounced|expired)") == []
    mail = letter(ALICE, BOB)
    message_id = clients.send(host, mail, sender=ALICE, port=587, user=ALICE)
    assert signers(clients.received(host, BOB, message_id)) == ["rsa1@example.org", "ed1@example.org"]
