"""Training for each user alone: what one of them moves to Junk is spam for that user, and for nobody else."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest

from tests.support import clients, trust
from tests.support.deploys import run
from tests.support.temporary_users import PASSWORD, guests
from tests.support.trust import REJECT, Protected, letter, somebody

pytestmark = pytest.mark.postgresql

#: Otherwise training would begin to count after 200 messages of each kind.
SOON = "/etc/rspamd/override.d/classifier-bayes.conf"
REDIS = "redis-cli -s /run/redis-mailstack/redis.sock"

#: What Sieve runs.
PROGRAM = "/usr/local/lib/mailstack/sieve/learn"
WORDS = "cheap watches of gold and silver, for you and your friends, only today, and only at our shop"


@pytest.fixture(scope="module")
def alone(protected: Protected) -> Iterator[Protected]:
    """Yield the server with training for each user, which counts from the first message on."""
    protected.server.exec(f"echo 'min_learns = 1;' > {SOON}")
    run(protected.server, trust.data(mail_spam_training="user"))
    protected.server.exec("systemctl restart rspamd")  # a reload takes some seconds
    yield protected
    protected.server.exec(f"rm {SOON}")
    run(protected.server, trust.data())
    protected.server.exec("systemctl restart rspamd")


def learned(protected: Protected, user: str) -> tuple[int, int]:
    """Return how many messages of spam and ham are learned for a user; for the empty name, for all."""
    said = protected.server.exec(f"{REDIS} hmget 'RS{user}' learns_spam learns_ham").stdout.splitlines()
    return int(said[0] or 0), int(said[1] or 0)


def is_spam(protected: Protected, user: str, message: bytes) -> bool:
    """Return whether training says so of a message to a user."""
    ask = ["rspamc", "-h", "/run/rspamd/mailstack.sock", "-d", user, "symbols"]
    return "BAYES_SPAM" in protected.server.exec(ask, input=message.decode()).stdout


def test_training_is_for_one_user_alone(alone: Protected) -> None:
    # Redis remembers the training of a user who is gone
    with guests(alone.server, f"one{uuid.uuid4().hex}", f"other{uuid.uuid4().hex}") as (one, other):
        moves_train(alone, one, other)


def moves_train(alone: Protected, one: str, other: str) -> None:
    """Let two users move the same message to Junk, one after the other."""
    server = alone.server
    sender = somebody(REJECT)
    spam = letter(sender, one, "Watches", WORDS)
    clients.send(server, spam, one, other, sender=sender)
    good = letter(sender, one, "Numbers")
    clients.send(server, good, one, sender=sender)
    for user, message_id in (
        (one, good["Message-ID"]),
        (one, spam["Message-ID"]),
        (other, spam["Message-ID"]),
    ):
        clients.received(server, user, message_id, PASSWORD)

    before = {user: learned(alone, user) for user in ("", one, other)}
    with clients.imap(server, one, password=PASSWORD) as session:
        trust.move(session, spam["Message-ID"], "INBOX", "Junk")
        trust.move(session, good["Message-ID"], "INBOX", "Junk")
        clients.eventually(lambda: learned(alone, one)[0] == before[one][0] + 2, "spam was not learned")
        trust.move(session, good["Message-ID"], "Junk", "INBOX")
        ham = (before[one][0] + 1, before[one][1] + 1)
        clients.eventually(lambda: learned(alone, one) == ham, "ham was not learned")
    assert {user: learned(alone, user) for user in ("", other)} == {
        user: before[user] for user in ("", other)
    }
    # a word counts once two messages have had it
    for kind, subject, body in (("spam", "Watches", WORDS), ("ham", "Numbers", "")) * 2:
        # to somebody else, as by an alias or in Bcc: what counts is who moves it
        message = bytes(letter(sender, other, subject, body)).decode()
        learn = ["runuser", "-u", "vmail", "--", "env", f"USER={one}", PROGRAM, kind]
        server.exec(learn, input=message)
    text = bytes(spam)
    assert is_spam(alone, one, text)
    assert is_spam(alone, one.replace("@", "+shop@"), text)
    assert not is_spam(alone, other, text)
    # the same message, by another user
    with clients.imap(server, other, password=PASSWORD) as session:
        trust.move(session, spam["Message-ID"], "INBOX", "Junk")
        clients.eventually(
            lambda: learned(alone, other)[0] == before[other][0] + 1, "it was not learned again"
        )
