"""The time of a refused login does not tell whether the user exists; test_logins.py has the texts."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from statistics import median
from threading import Barrier

import pytest

from mailstack.passwords import hash_password
from tests.support.logins import users
from tests.support.talk import PROTOCOLS, SMTP, plain, talk
from tests.targets.containers import Target

pytestmark = pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)

#: Of each protocol, so that a hundred answers are about each kind of user.
PAIRS = 25
KNOWN = "known@example.org"


def seconds(target: Target, name: str, user: str, together: Barrier) -> float:
    """Return the seconds from a wrong password to its refusal; both of a pair are sent together."""
    protocol = PROTOCOLS[name]
    with talk(target, protocol, tls=True) as connection:
        if protocol is SMTP:
            connection.say(*protocol.ask)
        login = protocol.login % plain(user, "wrong")
        together.wait(180)
        start = time.monotonic()
        said = connection.say(login, protocol.answered)
        took = time.monotonic() - start
    assert protocol.welcome not in said and b"CLOSED" not in said, said
    return took


def test_time_tells_nothing(abused: Target) -> None:
    """Compare answers about a user with a real hash and about unknown users, two by two at the same moment.

    A loaded machine delays both alike. Dovecot's pause of two seconds (`auth_failure_delay`) hides the hash.
    Without the pause the first assertion fails; Dovecot's one auth process makes both of a pair wait.
    """
    names = [name for _ in range(PAIRS) for name in PROTOCOLS]
    # to check a real hash takes a while: those of the sample accounts are quick
    with users(abused, {KNOWN: hash_password("right")}), ThreadPoolExecutor(12) as pool:
        asked = []
        for number, name in enumerate(names):
            pair = [KNOWN, f"unknown{number}@example.org"]
            together = Barrier(2)
            ordered = pair if number % 8 < 4 else pair[::-1]  # neither kind is always the first
            tasks = {user: pool.submit(seconds, abused, name, user, together) for user in ordered}
            asked.append([tasks[user] for user in pair])
        times = [
            (name, known.result(), unknown.result())
            for name, (known, unknown) in zip(names, asked, strict=True)
        ]
    assert min(min(each[1:]) for each in times) > 1
    differences = [known - unknown for _, known, unknown in times]
    assert abs(median(differences)) < 0.05, {
        name: [each[1:] for each in times if each[0] == name] for name in PROTOCOLS
    }
