"""How much a user may send: a stolen account is stopped, and other users are not."""

from __future__ import annotations

import smtplib

import pytest

from tests.support import clients, trust
from tests.support.deploys import run
from tests.support.sample_accounts import BOB
from tests.support.temporary_users import PASSWORD, guests
from tests.support.trust import Protected, letter

pytestmark = pytest.mark.postgresql

LIMIT = 5


def accepted(protected: Protected, user: str, *recipients: str, messages: int) -> int:
    """Return how many messages of a user are accepted; the others are to come again later."""
    count = 0
    with clients.smtp(protected.server, 587) as session:
        clients.login(session, user, PASSWORD)
        for _ in range(messages):
            try:
                session.send_message(letter(user, BOB), user, recipients)
                count += 1
            except smtplib.SMTPDataError as error:
                assert error.smtp_code == 451
    return count


def test_a_user_is_stopped_at_the_limit(protected: Protected) -> None:
    run(protected.server, trust.data(mail_user_message_rate_limit=LIMIT))
    try:
        protected.server.exec("systemctl restart rspamd")  # a reload takes some seconds
        # they have sent nothing yet, unlike the users of other tests
        with guests(protected.server, "stolen", "usual") as (stolen, usual):
            assert accepted(protected, stolen, BOB, messages=LIMIT + 5) == LIMIT
            # and no message escapes it
            assert accepted(protected, stolen, BOB, "postmaster@example.org", messages=2) == 0
            assert accepted(protected, usual, BOB, messages=2) == 2
            # who is told nothing else gets mail as before
            sender = trust.somebody(trust.REJECT)
            mail = letter(sender, stolen)
            clients.send(protected.server, mail, sender=sender)
            clients.received(protected.server, stolen, str(mail["Message-ID"]), PASSWORD)
    finally:
        run(protected.server, trust.data())
        protected.server.exec("systemctl restart rspamd")
