"""How much a user may send: a stolen account is stopped, two are told once, and mail of others is on time."""

from __future__ import annotations

import json
import smtplib
import threading
import time
from collections import Counter

import pytest

from tests.support import clients, trust
from tests.support.deploys import run
from tests.support.sample_accounts import BOB, CAROL
from tests.support.temporary_users import PASSWORD, guests
from tests.support.trust import Protected, letter

pytestmark = pytest.mark.postgresql

REDIS = "redis-cli -s /run/redis-mailstack/redis.sock"
#: Nothing but the limit of a user stops a client that goes on after errors.
PATIENT = {"mail_smtpd_soft_error_limit": 5000, "mail_smtpd_hard_error_limit": 5000}


def limit(protected: Protected, user: str, **columns: int) -> None:
    """Give a user limits in the database, and wait until rspamd has them."""

    def known() -> str:
        return protected.server.exec(f"{REDIS} hget mailstack_limits {user}").stdout

    before = known()
    values = ", ".join(f"{column} = {value}" for column, value in columns.items())
    clients.sql(protected.server, f"UPDATE mail_users SET {values} WHERE email = '{user}'")
    clients.eventually(lambda: known() != before, "the limits did not come to rspamd", 60)


def forget(protected: Protected) -> None:
    """Have Redis forget what was sent, and the host the notices to its postmaster."""
    found = f"$({REDIS} --scan --pattern 'mailstack_[st]*')"
    protected.server.exec(f"{REDIS} del mailstack_limited {found}; rm -f /var/mail/root")


def answers(protected: Protected, user: str, *recipients: str, messages: int = 1) -> Counter[int]:
    """Return how often each reply code was the answer to a message of a user, sent as fast as possible."""
    codes: Counter[int] = Counter()
    with clients.smtp(protected.server, 587) as session:
        clients.login(session, user, PASSWORD)
        for _ in range(messages):
            try:
                session.send_message(letter(user, BOB), user, recipients or [BOB])
                codes[250] += 1
            except smtplib.SMTPDataError as error:
                codes[error.smtp_code] += 1
    return codes


def notices(protected: Protected, user: str) -> tuple[int, int]:
    """Return how many notices of the limits the user has, and the postmaster, once all are sent."""
    waiting = f"{REDIS} llen mailstack_notices"
    clients.eventually(lambda: protected.server.exec(waiting).stdout == "0\n", "the notices are not sent", 60)
    clients.wait_for_empty_queue(protected.server)
    title = f"Subject: {user} may send no more mail for a while"
    home = clients.home(protected.server, user)
    counts = [
        protected.server.exec(["grep", "-rhF", title, place], check=False).stdout.count("\n")
        for place in (home, "/var/mail/root")
    ]
    return counts[0], counts[1]


def limited(protected: Protected) -> dict[str, dict[str, str]]:
    """Return the fact: the users who may not send now."""
    printed = protected.server.pyinfra("--json", "fact", "mailstack.facts.LimitedUsers").check().stdout
    (of_hosts,) = json.loads(printed).values()
    (values,) = of_hosts.values()
    return dict(values)


def test_a_stolen_account_is_stopped_and_told_once(protected: Protected) -> None:
    run(protected.server, trust.data(**PATIENT))
    forget(protected)
    found: list[Counter[int]] = []
    with guests(protected.server, "stolen", "usual") as (stolen, usual):
        limit(protected, stolen, message_rate_limit=100)
        thief = threading.Thread(
            target=lambda: found.append(answers(protected, stolen, "team@example.org", messages=1000))
        )
        thief.start()
        others, slowest = 0, 0.0
        while thief.is_alive():
            began = time.monotonic()
            mail = letter(usual, BOB)
            with clients.smtp(protected.server, 587) as session:
                clients.login(session, usual, PASSWORD)
                session.send_message(mail)
            clients.received(protected.server, BOB, str(mail["Message-ID"]))
            slowest, others = max(slowest, time.monotonic() - began), others + 1
            thief.join(1)
        print(f"{others} messages of another user, the slowest after {slowest:.1f} s")
        assert found == [Counter({250: 100, 451: 900})]
        assert others > 1
        assert notices(protected, stolen) == (1, 1)
        state = limited(protected)
        assert list(state) == [stolen]
        assert state[stolen]["limit"] == "100 messages in an hour"
        # and nobody is told again
        assert answers(protected, stolen, messages=2) == Counter({451: 2})
        assert notices(protected, stolen) == (1, 1)
        # the account gets mail as before
        sender = trust.somebody(trust.REJECT)
        mail = letter(sender, stolen)
        clients.send(protected.server, mail, sender=sender)
        clients.received(protected.server, stolen, str(mail["Message-ID"]), PASSWORD)


def test_recipients_count_and_a_limit_survives_redis(protected: Protected) -> None:
    forget(protected)
    with guests(protected.server, "counted") as (user,):
        limit(protected, user, recipient_daily_limit=5)
        assert answers(protected, user, BOB, CAROL, messages=2) == Counter({250: 2})
        # with more recipients than the whole limit it could never be sent
        many = ["info@example.org", "postmaster@example.org", "away@example.org", "both@example.org"]
        assert answers(protected, user, BOB, CAROL, *many) == Counter({554: 1})
        protected.server.exec("systemctl restart redis-server@mailstack")
        clients.eventually(
            lambda: protected.server.exec(f"{REDIS} ping", check=False).returncode == 0, "no Redis"
        )
        # and none escapes because it goes to the postmaster, too
        assert answers(protected, user, BOB, "postmaster@example.org") == Counter({451: 1})
        assert limited(protected)[user]["limit"] == "5 recipients in a day"
        assert answers(protected, user) == Counter({250: 1})
        assert limited(protected) == {}
        # a higher limit ends it
        assert answers(protected, user) == Counter({451: 1})
        limit(protected, user, recipient_daily_limit=0)
        assert answers(protected, user, BOB, CAROL) == Counter({250: 1})
    run(protected.server, trust.data())
