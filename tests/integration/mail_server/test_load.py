"""The cost of a message: connections to PostgreSQL, and queries."""

from __future__ import annotations

import re
from collections import Counter

import pytest

from tests.integration.conftest import Factory
from tests.support import clients
from tests.support.sample_accounts import ALICE, REMOTE, STRANGER
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

SESSIONS = 200
#: From the host itself, which no limit is about; what the clients say then is the same.
LOAD = f"smtp-source -s {SESSIONS} -m {2 * SESSIONS} -f {STRANGER} -t {ALICE} 127.0.0.1:25"
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
    """smtpd and cleanup don't share answers, so each looks a recipient up once."""
    clients.sql(host, "ALTER SYSTEM SET log_statement = 'all'; SELECT pg_reload_conf()")
    clients.eventually(lambda: logged(host), "nothing is logged")
    host.exec(f"truncate -s 0 {LOG}")
    message_id = clients.send(host, clients.message(STRANGER, ALICE), ALICE)
    clients.received(host, ALICE, message_id)
    about = asked(host)
    user, _, domain = ALICE.partition("@")
    assert about[f"mailstack_recipient('{user}', '{domain}'"] == 2
    # access(5) goes through the sender's address, its domain, and the parents of that
    assert about["550 5.7.1 This sender address needs a login"] == 1
    # by quota-status and LMTP; what a login reads is not of this kind
    assert about[") AS home"] == 2
    # nor has a mailbox that is there to be asked for in a second table
    assert not about["AND u.can_receive"]
    # our own domain is no relay domain, and the database has no parents of a domain
    assert about_relays(about) <= {f"mail_relay_domain WHERE domain_name = '{REMOTE}'"}


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
            r"mailstack_recipient\('[^']*', '[^']*'|550 5[.]7[.]1 This sender address needs a login"
            r"|\) AS home\b|AND u[.]can_receive|mail_relay_domain WHERE domain_name = '[^']*'",
            log,
        )
    )
