"""Mailboxes on several hosts: which host has which user, and what Dovecot is told of the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack import hosts, secrets
from mailstack.accounts.plan import PlanError, plan
from mailstack.accounts.rows import READ, Current, Rows
from mailstack.accounts.rules import Given
from mailstack.accounts.wanted import Accounts
from mailstack.backends import Backends, backends, chosen, dns_name, weight
from mailstack.components import backends as component
from mailstack.components.backends import BACKENDS
from mailstack.components.component import site_of
from mailstack.components.srs import SRS
from mailstack.engines.postgresql.backends import elsewhere, lives_here
from mailstack.engines.postgresql.database import HostDatabase
from mailstack.facts.platform import Platform
from mailstack.files import File
from mailstack.hosts import topology_of
from mailstack.operations.kept_secrets import Password
from mailstack.settings import Domain, User
from mailstack.topology import Node
from tests.unit.test_hosts import inventory, settings

LAYOUT: dict[str, Any] = {"db": ["one"], "mx": ["one"], "proxy": ["one"], "imap": ["two", "three"]}


def several(asked: str, **data: Any) -> Backends:
    found = backends(settings(), topology_of(inventory(data=data, **LAYOUT)[asked]))
    assert found
    return found


def test_one_mail_host_has_no_backends() -> None:
    layouts: list[dict[str, Any]] = [{}, {"db": ["one"], "mx": ["two"], "imap": ["two"]}]
    for groups in layouts:
        for host in inventory(**groups).values():
            assert backends(settings(), topology_of(host)) is None


def test_the_hosts_of_a_server() -> None:
    proxy, host = several("one"), several("two")
    assert [node.name for node in proxy.nodes] == ["two", "three"]
    assert [node.name for node in host.others] == ["three"]
    assert host.clients == ("192.0.2.1", "2001:db8::3")


def test_new_users_are_shared_by_weight_and_stay() -> None:
    emails = [f"user{number}@example.org" for number in range(4000)]
    counted = Counter(chosen(email, {"one": 1, "two": 3, "three": 0}) for email in emails)
    assert counted["three"] == 0 and 0.21 < counted["one"] / len(emails) < 0.29
    # a host more takes users from all, and moves none between the others
    before, after = {"one": 1, "two": 3}, {"one": 1, "two": 3, "four": 4}
    assert all(chosen(email, after) in (chosen(email, before), "four") for email in emails)


def test_no_host_takes_new_users() -> None:
    with pytest.raises(OperationValueError, match="mail_backend_weight: 0 on all hosts"):
        chosen("anna@example.org", {"one": 0})


@pytest.mark.parametrize("given", [-1, 1001, "many", True, 1.5])
def test_a_weight_that_is_none(given: object) -> None:
    with pytest.raises(OperationValueError, match=r"mail_backend_weight = .* of two: allowed: a number"):
        weight(Node("two", weight=given))


def test_names_in_certificates_differ() -> None:
    names = {dns_name(Node(name)) for name in ("@docker/a-b", "@docker/a.b", "x" * 70, "x" * 71)}
    assert len(names) == 4 and all(len(name.split(".")[0]) <= 63 for name in names)


def current() -> Current:
    domain: Current = {**{table: {} for table in READ}, "mail_domain": {("example.org",): {"active": True}}}
    return domain


def backend_of(weights: dict[str, int], **user: Any) -> Any:
    accounts = Accounts((Domain(domain_name="example.org"),), (User(email="a@example.org", **user),))
    made = plan(current(), accounts, given=Given(backends=weights))
    (change,) = [each for each in made if each.table == "mail_users"]
    return change.values.get("backend"), change.note


def test_a_new_user_is_on_a_host() -> None:
    assert backend_of({"two": 1, "three": 0}, initial_password="x") == ("two", "on two")
    assert backend_of({"two": 1, "three": 0}, initial_password="x", backend="three") == ("three", "on three")
    assert backend_of({}, initial_password="x") == (None, "")


@pytest.mark.parametrize(
    "weights, said",
    [({}, "one host with mailboxes; allowed: none"), ({"two": 1, "three": 1}, "allowed: two, three")],
)
def test_a_host_without_mailboxes(weights: dict[str, int], said: str) -> None:
    with pytest.raises(PlanError, match=f"user a@example.org: backend = 'one': .*{said}"):
        backend_of(weights, initial_password="x", backend="one")


def test_a_user_without_a_host_may_get_the_name_of_the_first() -> None:
    """That is where its mail is."""
    rows: Rows = {("a@example.org",): {"backend": None, "active": True, "password": "x"}}
    accounts = Accounts(users=(User(email="a@example.org", backend="two"),))
    (change,) = plan(
        {**current(), "mail_users": rows}, accounts, given=Given(backends={"two": 1, "three": 1})
    )
    assert change.values == {"backend": "two"}


def test_the_mail_of_a_user_does_not_change_hosts_by_a_declaration() -> None:
    rows: Rows = {("a@example.org",): {"backend": "two", "active": True, "password": "x"}}
    accounts = Accounts(users=(User(email="a@example.org", backend="three"),))
    given = Given(backends={"two": 1, "three": 1})
    with pytest.raises(PlanError, match="backend = 'three': the mail is on two; allowed"):
        plan({**current(), "mail_users": rows}, accounts, given=given)
    accounts = Accounts(users=(User(email="a@example.org", backend="two"),))
    assert plan({**current(), "mail_users": rows}, accounts, given=given) == []


def test_a_standby_can_issue_the_same_certificates() -> None:
    """Else a promotion would change all of them, and those of a host that is away would not fit."""
    hosts = inventory(db=["one", "two"], mx=["one"], proxy=["one"], imap=["two", "three"])
    kept = {}
    for name in ("one", "two", "three"):
        found = Platform("debian 13", "2.4", "3.10", "17")
        site = site_of(settings(mail_db_primary="one"), topology_of(hosts[name]))
        assert BACKENDS.is_wanted(site)
        entries = BACKENDS.files(site, found)
        kept[name] = {entry.path: entry for entry in entries if entry.path.startswith(secrets.DIRECTORY)}
    assert len(kept["one"]) == 7 and kept["one"].keys() == kept["two"].keys() and not kept["three"]
    for path, copy in kept["two"].items():
        assert isinstance(copy, File) and copy.mode == 0o600
        assert secrets.names_in(copy.content or "") == {path.rpartition("/")[2]}


@pytest.mark.parametrize("generation", ["2.3", "2.4"])
def test_what_dovecot_asks(generation: str) -> None:
    asked = elsewhere(several("two"), generation)
    assert "b.name <> 'two'" in asked and "WHEN 'three' THEN '2001:db8::3'" in asked
    assert "WHEN 'two'" not in asked and "COALESCE(u.backend, 'two')" in asked
    assert lives_here(several("three")).endswith("END = 'three'")
    assert "'doveadm'" in lives_here(several("three"), generation)


def test_mail_hosts_know_the_senders_that_another_has_rewritten() -> None:
    hosts, found = inventory(**LAYOUT), Platform("debian 13", "2.4", "3.10", "17")
    sites = {name: site_of(settings(), topology_of(host)) for name, host in hosts.items()}
    secret = f"{secrets.placeholder('srs-secret')}\n"
    for site in sites.values():
        (file,) = [each for each in SRS.files(site, found) if each.path == "/etc/postsrsd.secret"]
        assert isinstance(file, File) and file.content == secret and file.mode == 0o600
        makes = Password("srs-secret", found="/etc/postsrsd.secret") in BACKENDS.creates(site, found)
        assert makes == (site.here.name == "one")


@pytest.mark.parametrize(
    ("before", "nameless", "refused"),
    [
        ("", 3, False),
        ("two", 3, False),
        ("three", 0, False),
        ("three", 3, True),
        ("three", None, True),
    ],
)
def test_the_first_host_changes_only_if_all_users_have_a_name_of_one(
    before: str, nameless: int | None, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HostDatabase, "query", lambda *_: nameless)
    hosts = inventory(**LAYOUT)
    (requirement,) = BACKENDS.requirements(site_of(settings(), topology_of(hosts["one"])))
    said = requirement.problem({"/var/lib/mailstack/first-backend": f"{before}\n"} if before else {})
    assert bool(said) == refused
    if said:
        assert said.startswith("imap: its first host is two now, and was three")
        assert "allowed: three first, or" in said and "SET backend = 'three' WHERE" in said
    assert BACKENDS.requirements(site_of(settings(), topology_of(hosts["two"]))) == ()


def test_a_first_host_that_was_renamed_keeps_its_users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(HostDatabase, "query", lambda *_: 3)
    site = site_of(settings(), topology_of(inventory(**LAYOUT)["one"]))
    (requirement,) = BACKENDS.requirements(site)
    said = str(requirement.problem({"/var/lib/mailstack/first-backend": "old\n"}))
    assert "SET backend = 'two' WHERE backend IS NULL OR backend = 'old'" in said, "no host is called old"


def test_hosts_with_the_database_know_the_first_host() -> None:
    hosts = inventory(db=["one", "two"], mx=["one"], proxy=["one"], imap=["two", "three"])
    first = File("/var/lib/mailstack/first-backend", "two\n", activation=None)
    for name, host in hosts.items():
        site = site_of(settings(mail_db_primary="one"), topology_of(host))
        entries = BACKENDS.files(site, Platform("debian 13", "2.4", "3.10", "17"))
        assert (first in entries) == (name != "three")


@pytest.mark.parametrize(
    ("having", "nameless", "refused"),
    [
        (["three"], 2, True),
        (["three"], None, False),  # there is no database yet
        (["three"], 0, False),
        (["two", "three"], 2, False),
        ([], 2, False),
    ],
)
def test_a_second_host_does_not_take_the_users_of_the_only_one(
    having: list[str], nameless: int | None, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No deploy has recorded which host is the first."""
    made = inventory(**LAYOUT)
    monkeypatch.setattr(HostDatabase, "query", lambda *_: nameless)
    monkeypatch.setattr(hosts, "host_of", lambda node: node)
    monkeypatch.setattr(component, "read", lambda _, host: {"/": 1} if host.name in having else {})
    topology = replace(topology_of(made["one"]), reached=frozenset(made))
    (requirement,) = BACKENDS.requirements(site_of(settings(), topology))
    said = requirement.problem({})
    assert bool(said) == refused
    if said:
        assert said.startswith("imap: its first host is two now, and was three") and "three first, or" in said
    unreached = replace(topology, reached=frozenset({"one", "three"}))
    (requirement,) = BACKENDS.requirements(site_of(settings(), unreached))
    assert requirement.problem({}) is None
