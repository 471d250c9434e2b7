"""Whose mail a removal would take, and whose it would leave behind."""

from __future__ import annotations

import pytest

from mailstack import Settings
from mailstack.components.component import Site, site_of
from mailstack.facts.lookups import Connection
from mailstack.removal.users import Home, Users, UsersMail, elsewhere, problem, users_of
from mailstack.topology import Node, Topology
from tests.support.sites import site

ALONE = site(Settings(mail_hostname="mail.example.org"))


def backend(*reached: str) -> Site:
    """Return the second of two hosts with mailboxes, in a run with it and others."""
    front = Node("front", ("db", "mx", "proxy"), address="192.0.2.1")
    first, second = (
        Node(name, ("imap",), address=f"192.0.2.{number}") for number, name in ((2, "first"), (3, "second"))
    )
    topology = Topology(second, (front, first, second), frozenset({"second", *reached}))
    return site_of(Settings(mail_hostname="mail.example.org"), topology)


def test_the_answer() -> None:
    question = Users.of(Connection("pgsql", "", peer=False))
    said = ".,a=3d@example.org - 12,b@example.org second 1,z@example.org second /srv/a=20=2Cb=3D20ä,"
    said += "c@example.org - /srv/c\n"
    assert question.parse(said) == UsersMail(
        {None: (12, "a=3d@example.org"), "second": (1, "b@example.org")},
        (Home("c@example.org", None, "/srv/c"), Home("z@example.org", "second", "/srv/a ,b=20ä")),
    )
    assert question.parse(".\n") == UsersMail({})
    assert question.parse("") is None


def test_a_host_without_postfix_has_no_users() -> None:
    question = users_of(ALONE)
    assert question.ask(question.about).endswith("else echo .; fi")


@pytest.mark.parametrize("stored", ["second", "first>second", "second>>first"])
def test_mail_of_users_who_live_here_is_not_deleted(stored: str) -> None:
    mail = UsersMail({None: (7, "a@example.org"), stored: (2, "b@example.org")})
    why = problem(backend("first"), mail)
    assert why and why.startswith("users with their mail here: 2, such as b@example.org; allowed: `mailstack")
    assert (
        problem(backend("first"), UsersMail({None: (7, "a@example.org"), "first": (1, "c@example.org")}))
        is None
    )
    assert problem(backend("first", "front"), mail) is None  # the whole server goes
    assert problem(ALONE, mail) is None


def test_without_an_answer_nobody_knows_whose_mail_is_here() -> None:
    assert "the database does not answer" in str(problem(backend("first"), None))
    assert problem(backend("first", "front"), None) is None and problem(ALONE, None) is None


def test_mail_elsewhere_is_named() -> None:
    homes = [Home(f"u{number:02}@example.org", None, f"/srv/{number}") for number in range(22)]
    homes += [Home("v@example.org", None, "/var/vmail/v"), Home("w@example.org", "second", "/var/vmail2")]
    mail = UsersMail({}, tuple(homes))
    lines = [*elsewhere(ALONE, mail)]
    assert lines[0] == "the mail of u00@example.org stays in /srv/0"
    assert len(lines) == 21 and lines[-1] == "the mail of 3 more users stays outside /var/vmail"
    assert [*elsewhere(backend(), mail)] == ["the mail of w@example.org stays in /var/vmail2"]
    assert [*elsewhere(ALONE, None)] == []
