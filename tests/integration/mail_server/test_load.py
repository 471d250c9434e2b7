"""The cost of a message: connections to PostgreSQL, and queries."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.integration.conftest import Factory
from tests.support import clients
from tests.support.sample_accounts import ALICE, BOB, REMOTE, STRANGER
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

SESSIONS = 200
#: From the host itself, which no limit is about; what the clients say then is the same.
LOAD = f"smtp-source -s {SESSIONS} -m {2 * SESSIONS} -f {STRANGER} -t {ALICE} 127.0.0.1:25"
#: As `make bench` measures: messages to several users, in few sessions.
BOTH, FEW, MANY = (ALICE, BOB), 20, 200
LOG = "/var/log/postgresql/postgresql-*-main.log"


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server, which has no other mail in transit."""
    return module_clone("load")


def test_many_sessions_need_few_connections(host: Target) -> None:
    """If each process had its own connections, there would be dozens.

    Postfix keeps connections for a while, so they can be counted afterwards.
    """
    host.exec(LOAD, timeout=120)
    clients.wait_for_empty_queue(host, timeout=60)
    connections = clients.sql(host, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'maillookup'")
    assert 5 <= int(connections) < 20


def test_no_question_is_asked_twice_that_one_answer_could_have_answered(host: Target) -> None:
    """smtpd and cleanup don't share answers, so each looks a recipient up once.

    The recipient is another one than before, as smtpd and qmgr remember the last domains.
    """
    log_questions(host)
    message_id = clients.send(host, clients.message(STRANGER, BOB), BOB)
    clients.received(host, BOB, message_id)
    about = asked(host)
    user, _, domain = BOB.partition("@")
    # by smtpd, for which the answer also says that there is no quota, and by cleanup
    assert about[f"mailstack_recipient_class('{user}', '{domain}'"] == 1
    assert about[f"mailstack_recipient('{user}', '{domain}'"] == 1
    # access(5) goes through the sender's address, its domain, and the parents of that
    assert about["550 5.7.1 This sender address needs a login"] == 1
    # by LMTP; what a login reads is not of this kind
    assert about[") AS home"] == 1
    # nor has a mailbox that is there to be asked for in a second table
    assert not about["AND u.can_receive"]
    # for smtpd and for qmgr
    assert 1 <= about[f"* FROM mailstack_domain('{domain}')"] <= 2
    # it is no relay domain, and the database has no parents of a domain
    assert about_relays(about) <= {f"mail_relay_domain WHERE domain_name = '{REMOTE}'"}


def test_the_questions_of_many_messages(host: Target) -> None:
    """Each process of smtpd asks about the domains of a sender and of recipients once.

    qmgr asks about the domain of each recipient that is not the one before.
    """
    log_questions(host)
    each = MANY // len(BOTH)
    host.exec(
        "".join(
            f"smtp-source -s {FEW // len(BOTH)} -m {each} -f {STRANGER} -t {user} 127.0.0.1:25 & "
            for user in BOTH
        )
        + "wait",
        timeout=120,
    )
    clients.wait_for_empty_queue(host, timeout=60)
    found = asked(host)
    once = ("mailstack_recipient_class", "mailstack_recipient(", ") AS home")
    assert [of(found, text) for text in once] == [MANY] * len(once), found
    assert of(found, "* FROM mailstack_domain") <= MANY + 2 * FEW * (1 + len(BOTH)), found
    relay = f"mail_relay_domain WHERE domain_name = '{REMOTE}'"
    assert about_relays(found) <= {relay}, found
    assert found[relay] <= 2 * FEW, found


def of(asked: Counter[str], start: str) -> int:
    """Return how many questions begin so."""
    return sum(count for text, count in asked.items() if text.startswith(start))


def log_questions(host: Target) -> None:
    """Have the database log what it is asked from now on."""
    clients.sql(host, "ALTER SYSTEM SET log_statement = 'all'; SELECT pg_reload_conf()")
    clients.eventually(lambda: logged(host), "nothing is logged")
    host.exec(f"truncate -s 0 {LOG}")


def about_relays(about: Counter[str]) -> set[str]:
    """Return the questions about relay domains."""
    return {text for text in about if text.startswith("mail_relay_domain")}


def logged(host: Target) -> bool:
    """Return whether what is asked now is logged."""
    clients.sql(host, "SELECT 'is it logged?'")
    return "is it logged?" in host.exec(f"cat {LOG}").stdout


def asked(host: Target) -> Counter[str]:
    """Return how often the database was asked what has one of these texts in it."""
    log = host.exec(f"cat {LOG}").stdout
    return Counter(
        re.findall(
            r"mailstack_recipient(?:_class)?\('[^']*', '[^']*'"
            r"|550 5[.]7[.]1 This sender address needs a login"
            r"|\) AS home\b|AND u[.]can_receive"
            r"|[*] FROM mailstack_domain\('[^']*'\)|mail_relay_domain WHERE domain_name = '[^']*'",
            log,
        )
    )
