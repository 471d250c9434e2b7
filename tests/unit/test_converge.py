"""The order of a run, and that nothing is left out; no host is asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationError, OperationValueError

from mailstack import Settings, accounts, database_passwords, hosts, secrets
from mailstack.components import converge as module
from mailstack.components.component import Component, Requirement, Site, site_of, with_required
from mailstack.components.converge import Database, converge, groups
from mailstack.components.postfix import POSTFIX
from mailstack.components.postgresql import POSTGRESQL
from mailstack.components.rspamd import RSPAMD
from mailstack.components.srs import SRS
from mailstack.facts.packages import InstalledPackages
from mailstack.facts.platform import PLATFORM, RELEASES, Platform
from mailstack.files import Entry, File, Group
from mailstack.operations import config_files, sql, units
from mailstack.operations.units import Unit
from mailstack.topology import Node, Topology
from tests.support.sites import site

SETTINGS = Settings(mail_hostname="mail.example.org")


class Part(Component):
    """A component with a unit and a file."""

    title = "Part"
    reloads = ("part",)

    def __init__(self, name: str) -> None:
        self.name = name

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        return [File(f"/etc/{self.name}", "x")]

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        return [Unit(self.name)]

    def validate(self, site: Site) -> Sequence[str]:
        """See ``Component``."""
        return [f"validate {self.name}"]

    def before_files(self, site: Site, platform: Platform) -> str:
        """See ``Component``."""
        return f"before {self.name}"

    def restart_if(self, site: Site) -> dict[str, str]:
        """See ``Component``."""
        return {"part": f"restart_if {self.name}"}


class Server(Part, Database):
    """A component with the database."""


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Record what a run would do, in order, on a host with the database for a mail host."""
    done: list[str] = []
    here = Node("db.example.org", ("db",), "192.0.2.1")
    topology = Topology(here, (here, Node("mail.example.org", ("mx", "imap"), "192.0.2.2")))

    def record(name: str, show: Callable[..., Any] = lambda *_, **__: "") -> Callable[..., None]:
        return lambda *args, **more: done.append(f"{name} {show(*args, **more)}".strip())

    def of_files(of: Callable[[Platform], Sequence[Group]], *_: object) -> str:
        return " ".join(entry.path for group in of(RELEASES[1]) for entry in group.entries)

    def of_server(_: object, __: object, server: sql.Server) -> str:
        return f"{of_files(server.files)} {[unit.name for unit in server.units(RELEASES[1])]}"

    monkeypatch.setattr(hosts, "checked", lambda _: topology)
    together: set[str] = set()
    monkeypatch.setattr(module, "deployed_here", lambda: together)
    monkeypatch.setattr(database_passwords, "store", lambda _: secrets.Store({}))
    monkeypatch.setattr(module, "require", record("require"))
    monkeypatch.setattr(module, "check_declared", record("check declared"))
    monkeypatch.setattr(module, "check_first", record("check first", lambda owner, *_: owner))
    monkeypatch.setattr(module, "installed", record("packages"))
    monkeypatch.setattr(module, "created", record("create"))
    monkeypatch.setattr(module, "config_files", record("files", of_files))
    monkeypatch.setattr(sql, "converge", record("database", of_server))
    monkeypatch.setattr(accounts, "declared", record("accounts"))
    running = record("run", lambda of: [unit.name for unit in of(RELEASES[1])])
    monkeypatch.setattr(units, "running", running)
    return done


def test_the_database_comes_before_the_files_of_others(calls: list[str]) -> None:
    converge(SETTINGS, [Part("one"), Server("server"), Part("two")], whole=True)
    assert calls == [
        "require",  # that no two components disagree
        "check declared",
        "check first db.example.org",
        "packages",
        "database /etc/server ['server']",
        "accounts",
        "files /etc/one /etc/two",
        "run ['one', 'two']",
    ]


def test_a_part_has_no_accounts_and_asks_for_no_other_host(calls: list[str]) -> None:
    converge(SETTINGS, [Part("one")])
    assert calls == ["require", "packages", "files /etc/one", "run ['one']"]


def test_what_a_component_requires_of_a_host_is_asked(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    part = Part("one")
    monkeypatch.setattr(part, "requirements", lambda _: [Requirement(PLATFORM, lambda _: None)])
    converge(SETTINGS, [part])
    assert calls.count("require") == 2


def test_a_component_needs_those_beside_it(calls: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Callable[[Any], str | None]] = []

    def require(question: object, problem: Callable[[Any], str | None]) -> None:
        if isinstance(question, InstalledPackages):
            assert question.about == ("postfix",)
            asked.append(problem)

    monkeypatch.setattr(module, "require", require)
    part = Part("one")
    part.beside = ("postfix",)
    converge(SETTINGS, [part])
    (problem,) = asked
    assert problem(set()) == "one: needs postfix on this host; allowed: postfix.deploy, which deploys both"
    assert problem({"postfix"}) is None
    converge(SETTINGS, [Part("postfix")])
    assert problem(set()) is None, "also if this run deploys it, before or after"


def test_the_filter_and_srs_need_postfix() -> None:
    assert [each.beside for each in (RSPAMD, SRS)] == [("postfix",)] * 2
    names = [each.name for each in with_required([POSTFIX], site(SETTINGS))]
    assert {"rspamd", "srs"} < set(names), "which has them deployed along with it"


def test_nothing_lies_here_of_a_component_that_is_not_installed(
    calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server = Server("server")
    monkeypatch.setattr(server, "is_installed", lambda _: False)
    converge(SETTINGS, [server])
    assert calls == ["require", "packages", "database  []"]


def test_settings_that_a_component_refuses_end_the_run(calls: list[str]) -> None:
    mysql = Settings(mail_hostname="mail.example.org", mail_db_engine="mysql")
    with pytest.raises(OperationValueError, match="the component postgresql is for"):
        converge(mysql, [POSTGRESQL])
    assert calls == []


def test_a_disagreement_is_known_before_anything_is_changed() -> None:
    def declared(platform: Platform) -> dict[str, Group]:
        raise OperationValueError("one and other disagree")

    assert module._disagreement(declared, RELEASES[1]) == "one and other disagree"
    assert module._disagreement(lambda _: {}, RELEASES[1]) is None


def test_a_group_has_all_that_its_component_declares() -> None:
    (group,) = groups(site(SETTINGS), RELEASES[1], [Part("one")]).values()
    assert group == Group(
        [File("/etc/one", "x")], ("part",), ["validate one"], "before one", {"part": "restart_if one"}
    )


def test_checks_with_an_effect_come_after_all_that_may_fail() -> None:
    both = groups(site(SETTINGS), RELEASES[1], [Part("one"), Part("two")]).values()
    checks = list(config_files._checks(list(both)))
    assert checks[:4] == ["validate one", "validate two", "before one", "before two"]
    assert [check.split("\n")[1:3] for check in checks[4:]] == [
        ["restart_if one", "); then mark part.restart; fi"],
        ["restart_if two", "); then mark part.restart; fi"],
    ]


def test_only_wanted_components_are_of_a_site() -> None:
    here = Node("db.example.org", ("db",), "192.0.2.1")
    names = [each.name for each in site_of(SETTINGS, Topology(here, (here,))).components]
    assert "postgresql" in names
    assert "postfix" not in names
    assert POSTFIX.is_wanted(site(SETTINGS))


def test_a_secret_that_nobody_keeps_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_files, "is_executing", lambda: True)
    monkeypatch.setattr(config_files, "shows_diff", lambda: False)
    monkeypatch.setattr(config_files, "host", SimpleNamespace(name="mail.example.org"))
    monkeypatch.setattr(config_files, "read", lambda _: {})
    monkeypatch.setattr(secrets.Store, "values", lambda *_: {"db": None})
    with pytest.raises(OperationError, match=r"db: mail\.example\.org does not keep it"):
        list(config_files.file_changes([Group([File("/etc/one", "x")])], secrets.Store({})))


def test_a_component_that_requires_itself_is_named() -> None:
    one, two = Part("one"), Part("two")
    one.requires, two.requires = (two,), (one,)
    with pytest.raises(ValueError, match="one requires itself: one -> two -> one"):
        with_required([one], site(SETTINGS))
