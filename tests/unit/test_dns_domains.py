"""The domains in the database, as Postfix's table answers."""

from __future__ import annotations

from mailstack import Settings
from mailstack.dns.domains import Domains, MailDomains, domains_of
from mailstack.facts.lookups import Connection
from tests.support.sites import site


def test_the_answer() -> None:
    question = Domains.of(Connection("pgsql", "PGSSLMODE=prefer", peer=False))
    every = MailDomains(("a.example", "b.example"), ("relayed.example",))
    assert question.parse(".,b.example,+relayed.example,a.example\n") == every
    assert question.parse(".\n") == MailDomains()


def test_a_database_that_does_not_answer_is_not_an_empty_one() -> None:
    question = Domains.of(Connection("pgsql", "", peer=False))
    assert question.parse("") is None
    assert question.parse("a.example\n") is None


def test_the_user_that_may_ask() -> None:
    def asked(**settings: object) -> str:
        question = domains_of(site(Settings(mail_hostname="mail.example.org", **settings)))  # type: ignore[arg-type]
        return question.ask(question.about)

    assert "runuser" not in asked()
    assert 'runuser -u postfix -- env  timeout 20 postmap -q all "mysql:$table"' in asked(
        mail_db_engine="mysql", mail_db_auth="peer", mail_map_type="proxy:mysql"
    )
    assert 'postmap -q all "pgsql:$table"' in asked()
