"""A mail host with users does not leave its database for one that knows none of them."""

from __future__ import annotations

import base64
import gzip
from collections.abc import Sequence
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationError
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_host

from mailstack import Settings, hosts
from mailstack.components import difference, former_database
from mailstack.components.component import Component, Requirement, Site, site_of
from mailstack.components.dovecot import DOVECOT
from mailstack.components.postfix import POSTFIX
from mailstack.components.postgresql import POSTGRESQL
from mailstack.facts.clusters import Cluster
from mailstack.facts.platform import CLUSTERS, Clusters, PostgresqlClusters
from mailstack.facts.reading import read, require
from mailstack.topology import Node, Topology
from tests.unit.test_hosts import inventory

DATABASE = Node("db.example.org", ("db",), "192.0.2.1")
MAIL = Node("mail.example.org", ("mx", "imap"), "192.0.2.2")
SECOND = Node("mail2.example.org", ("mx", "imap"), "192.0.2.3")
STANDBY = Node("mail.example.org", ("db", "mx", "imap"), "192.0.2.2")
ASKS_ANOTHER = Node("mail.example.org", ("mx", "imap"), "192.0.2.2", {"mail_db_host": "db.example.net"})
IN_USE = "binaries data ours block starts used"
EMPTY = Clusters("17")


def site(here: Node, *nodes: Node, **more: Any) -> Site:
    """Return a host of an inventory of which all hosts are reached but ``mail2.example.org``."""
    settings = Settings(mail_hostname="mail.example.org", **more)
    reached = frozenset(node.name for node in nodes if node != SECOND)
    return site_of(settings, Topology(here, nodes, reached))


def clusters(flags: str, name: str = "main") -> Clusters:
    """Return the clusters of a host that has one, with these flags."""
    return Clusters("17", (Cluster("17", name, 5432, frozenset(flags.split())),))


def said(requirements: Sequence[Requirement], found: Clusters) -> str:
    """Return the errors of all requirements of the clusters, each once, as ``facts.reading`` does."""
    wrong = [each.problem(found) for each in requirements if isinstance(each.question, PostgresqlClusters)]
    return "; ".join(dict.fromkeys(filter(None, wrong)))


@pytest.mark.parametrize(
    ("flags", "name", "refused"),
    [
        (IN_USE, "main", True),
        (f"{IN_USE} standby", "main", False),  # mailstack.db.promote has moved it
        ("binaries data ours block starts", "main", False),
        ("binaries data ours block used", "main", False),  # switched off
        ("data ours block starts used", "main", False),  # its packages are removed
        ("binaries data starts used", "main", False),  # of others, or given up
        (IN_USE, "other", False),
    ],
)
def test_a_mail_host_with_a_database_in_use_asks_no_other_host(flags: str, name: str, refused: bool) -> None:
    here = site(MAIL, DATABASE, MAIL)
    both = [*POSTFIX.requirements(here), *DOVECOT.requirements(here)]
    expected = (
        "db: the PostgreSQL cluster 17/main of mail.example.org has a mail database in use; mail.example.org "
        "would ask db.example.org instead, and refuse (550) all mail to users who are not there; allowed: "
        "mail.example.org in the group db too, until mailstack.db.promote db.example.org has moved it: see "
        "From one host to two in docs/several-hosts.md; or, if that database has moved by other means or is "
        "not needed, first on mail.example.org: rm /etc/postgresql/17/main/conf.d/mailstack.conf"
    )
    assert said(both, clusters(flags, name)) == (expected if refused else "")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (
            {"mail_db_dsn": "host=db.example.net user=admin", "mail_db_lookup_password": "x"},
            "mail_db_dsn: the PostgreSQL cluster 17/main of mail.example.org has a mail database in use; "
            "mail.example.org would ask db.example.net instead",
        ),
        (
            {"mail_db_host": "db.example.net", "mail_db_lookup_password": "x"},
            "mail_db_host: the PostgreSQL cluster 17/main of mail.example.org has a mail database in use; "
            "mail.example.org would ask db.example.net instead",
        ),
        ({"mail_db_dsn": "host=localhost user=admin", "mail_db_lookup_password": "x"}, ""),
    ],
)
def test_neither_does_it_ask_a_server_outside_the_inventory(given: dict[str, str], expected: str) -> None:
    found = said(POSTFIX.requirements(site(MAIL, MAIL, **given)), clusters(IN_USE))
    (setting,) = {"mail_db_dsn", "mail_db_host"} & set(given)
    assert found.startswith(expected) and bool(found) == bool(expected)
    assert not found or f"allowed: no {setting}; or" in found


def test_a_host_that_has_the_database_is_not_asked_for_it() -> None:
    whole = Node("mail.example.org", address="192.0.2.2")
    for here in (site(whole, whole), site(STANDBY, STANDBY, DATABASE)):
        assert former_database.of_mail_host(here) == former_database.of_clients(here) == []


@pytest.mark.parametrize(
    ("here", "others", "refused"),
    [
        (DATABASE, [MAIL], True),
        (DATABASE, [MAIL, SECOND], True),
        (DATABASE, [SECOND], False),  # --limit: it refuses when it is in a run
        (DATABASE, [STANDBY], False),
        (DATABASE, [ASKS_ANOTHER], False),
    ],
)
def test_the_host_with_the_empty_database_stays_bare(
    monkeypatch: pytest.MonkeyPatch, here: Node, others: list[Node], refused: bool
) -> None:
    """Otherwise it would have data of its own, and could not become a standby of the mail host."""
    monkeypatch.setattr(hosts, "host_of", lambda node: node.name)
    monkeypatch.setattr(former_database, "announce", lambda question, of: None)
    monkeypatch.setattr(former_database, "read", lambda question, host: clusters(IN_USE))
    found = said(POSTGRESQL.requirements(site(here, here, *others)), EMPTY)
    assert found.startswith("db: the PostgreSQL cluster 17/main of mail.example.org has") == refused
    assert bool(found) == refused


def test_a_mail_host_that_can_not_be_asked_does_not_keep_the_database_from_its_changes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read(question: object, host: object) -> Clusters:
        raise OperationError("mail.example.org could not be asked")

    monkeypatch.setattr(hosts, "host_of", lambda node: node.name)
    monkeypatch.setattr(former_database, "announce", lambda question, of: None)
    monkeypatch.setattr(former_database, "read", read)
    assert said(POSTGRESQL.requirements(site(DATABASE, DATABASE, MAIL)), EMPTY) == ""


def test_status_says_it_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Postfix and Dovecot both require it."""
    here = site(MAIL, DATABASE, MAIL)
    refused = [each for each in POSTFIX.requirements(here) if isinstance(each.question, PostgresqlClusters)]
    for component in (POSTFIX, DOVECOT):
        monkeypatch.setattr(component, "requirements", lambda site: refused)
    monkeypatch.setattr(difference, "read", lambda question: clusters(IN_USE))
    found = difference.Difference.__new__(difference.Difference)  # the rest needs a host
    found.site, found.components = here, [POSTFIX, DOVECOT]
    (once,) = found.problems()
    assert once.startswith("db: the PostgreSQL cluster 17/main of mail.example.org")


def test_both_hosts_are_refused_and_each_is_asked_once() -> None:
    """The reading of the mail host by the other one is all that the mail host needs to read."""
    hosts_of = inventory(db=["one"], mx=["two"], imap=["two"])
    asked = []

    def answering(name: str, flags: str) -> Any:
        def answer(*_: Any, **__: Any) -> tuple[bool, CommandOutput]:
            asked.append(name)
            text = f"0\n\0release=13\nid=debian\ncluster 17/main 5432 {flags}\n\0"
            line = base64.b64encode(gzip.compress(text.encode())).decode()
            return True, CommandOutput([OutputLine("stdout", line)])

        return answer

    for name, flags in (("one", "binaries data starts"), ("two", IN_USE)):
        hosts_of[name].connected = True
        hosts_of[name].run_shell_command = answering(name, flags)  # type: ignore[method-assign]
    hosts_of["one"].state.is_executing = True
    components: dict[str, list[Component]] = {"one": [POSTGRESQL], "two": [POSTFIX, DOVECOT]}
    for name, each in components.items():
        with ctx_host.use(hosts_of[name]):
            here = site_of(Settings(mail_hostname="mail.example.org"), hosts.topology())
            for question, problem in (pair for one in each for pair in one.requirements(here)):
                if isinstance(question, PostgresqlClusters):
                    require(question, problem)
    for name in components:
        with (
            ctx_host.use(hosts_of[name]),
            pytest.raises(OperationError, match=r"^db: the PostgreSQL cluster 17/main of two has"),
        ):
            read(CLUSTERS)
    assert sorted(asked) == ["one", "two"]
