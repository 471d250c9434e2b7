"""What a host is to check is what its components declare; and how the answer looks."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack import Settings
from mailstack.components.component import Component, Site, site_of
from mailstack.engines import engine_of
from mailstack.facts.platform import RELEASES, Platform
from mailstack.files import Entry, File
from mailstack.on_host.verify import services
from mailstack.on_host.verify.results import Report
from mailstack.settings import SettingsError
from mailstack.topology import Node, Topology
from mailstack.verify import accounts, printed, tables
from mailstack.verify.accounts import PREFIX, Accounts
from mailstack.verify.commands import check_format
from mailstack.verify.plan import components_of, plan
from tests.support.sites import site

NAMES = Accounts("example.org", f"{PREFIX}0123456789", "a password")


def settings(**more: Any) -> Settings:
    """Return settings with which a host has all components."""
    everything: dict[str, Any] = {
        "mail_hostname": "mail.example.org",
        "mail_acme": True,
        "mail_acme_email": "admin@example.org",
        "mail_antivirus": True,
        "mail_pop3": True,
        "mail_smtp_tls_reports": True,
        "mail_srs": True,
        "mail_web": True,
        "mail_relayhost_user": "u",
        "mail_relayhost_password": "a secret",
        "mail_relayhost": "[relay.example.net]",
        "mail_virtual": {"a@example.org": ["b@example.org"]},
    }
    return Settings(**(everything | more))


def sites() -> list[Site]:
    """Return hosts that have between them every component, with each database."""
    plain: dict[str, Any] = {
        "mail_relayhost_user": None,
        "mail_relayhost_password": None,
        "mail_relayhost": "",
    }
    return [site(settings()), site(settings(**plain)), site(settings(mail_db_engine="mysql", **plain))]


@pytest.mark.parametrize("platform", RELEASES)
def test_every_table_in_sql_has_a_known_key_and_an_unknown_one(platform: Platform) -> None:
    known = tables.keys_of_sql(NAMES)
    for here in sites():
        for component in components_of(here):
            for entry in filter(tables.is_sql, component.files(here, platform)):
                assert entry.path in known, f"{component.name}: {entry.path} is not in tables.keys_of_sql"


def test_the_plan_has_all_that_is_declared() -> None:
    here = sites()[0]
    found = json.loads(json.dumps(plan(here, RELEASES[1], NAMES, catch_all=False)))
    assert {port["number"] for port in found["ports"]} >= {25, 465, 587, 143, 993, 110, 995, 4190, 80, 443}
    assert {port["number"] for port in found["clear_ports"]} == {25, 587, 143, 110, 4190}
    assert {port["number"]: port["how"] for port in found["tls"]}[587] == "smtp"
    assert found["mail_ports"] == [25, 587, 465] and found["certificate"]["source"] != "own"
    secret = {each["path"] for each in found["secrets"]}
    assert {"/etc/ssl/mailstack/key.pem", "/etc/postfix/sasl_passwd", "/etc/postfix/sasl_passwd.db"} <= secret
    assert "/etc/postfix/main.cf" not in secret
    assert {"/var/lib/rspamd/dkim", "/var/lib/mailstack/secrets"} <= set(found["directories"])
    maps = {each["name"]: each for each in found["maps"]}
    assert (maps["virtual"]["hit"], maps["virtual"]["expected"]) == ("a@example.org", "b@example.org")
    assert maps["sasl_passwd"]["secret"] and not maps["sasl_passwd"]["expected"]
    assert maps["sender_logins"]["table"] == "proxy:pgsql:/etc/postfix/sql/sender_logins.cf"
    assert maps["mailstack-domains"]["table"] == "pgsql:/etc/rspamd/mailstack-domains.cf"
    assert "a secret" not in json.dumps(found)


def test_a_table_of_an_own_component_is_left_out_with_its_name() -> None:
    """Nobody knows a key of it: not one that it has, nor one that it does not have."""

    class Mine(Component):
        name = "mine"

        def files(self, site: Site, platform: Platform) -> list[Entry]:
            return [File("/etc/postfix/mine.cf", "hosts = x\nquery = SELECT 1\n")]

    here = sites()[0]
    here = replace(here, components=(*here.components, Mine()))
    found = plan(here, RELEASES[1], NAMES, catch_all=False)
    assert found["other_maps"] == ["/etc/postfix/mine.cf"]
    assert "mine" not in {each["name"] for each in found["maps"]}
    report = Report()
    services.other_table(report, "/etc/postfix/mine.cf")
    assert [(each.title, each.state) for each in report.results] == [("/etc/postfix/mine.cf", "skipped")]


def test_a_host_with_the_database_alone() -> None:
    """It has no certificate, and no port for mail."""
    mail = Node("mail", ("mx", "imap"), address="192.0.2.2")
    here = Node("db", ("db",), address="192.0.2.1")
    found = site_of(Settings(mail_hostname="mail.example.org"), Topology(here, (here, mail)))
    assert {each.name for each in components_of(found)} & {"tls", "redis", "postfix"} == set()
    planned = plan(found, RELEASES[1], None, catch_all=False)
    assert [port["number"] for port in planned["ports"]] == [5432] and not planned["mail"]
    assert "PostgreSQL has the mail database" in {probe["title"] for probe in planned["probes"]}


def test_without_a_domain_nothing_is_sent() -> None:
    found = plan(sites()[0], RELEASES[0], None, catch_all=False)
    assert found["domain"] is None
    assert not [each for each in found["maps"] if "sql" in each["table"]]


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_all_that_is_created_is_removed(engine: str) -> None:
    """Also what triggers write when users are removed."""
    dialect = engine_of(Settings(mail_hostname="mail.example.org", mail_db_engine=engine)).dialect  # type: ignore[arg-type]
    sql = NAMES.creating(dialect, "mailadmin", "/var/vmail")
    away = accounts.removing(dialect, "mailadmin")
    removed = re.findall(r"DELETE FROM (\w+)", away)
    assert {*re.findall(r"INSERT INTO (\w+)", sql)} <= {*removed}
    assert removed.index("mail_users") < removed.index("mail_former_users")
    assert re.findall(r"DELETE FROM .*", sql) == re.findall(r"DELETE FROM .*", away)  # after a loss of power
    assert sql.startswith("\n".join(dialect.begin("mailadmin")))  # which keeps the hash out of logs
    assert NAMES.password not in sql
    names = (NAMES.user, NAMES.other, NAMES.alias, NAMES.nobody, NAMES.relayed)
    assert all(name.startswith(PREFIX) for name in names)


def test_a_domain_without_a_catch_all_is_preferred() -> None:
    assert accounts.chosen({"plain": [["b.example"]], "any": [["a.example"]]}) == ("b.example", False)
    assert accounts.chosen({"any": [["a.example"]]}) == ("a.example", True)
    assert accounts.chosen({}) == (None, False)


def check(state: str, **more: Any) -> dict[str, Any]:
    """Return a check."""
    plain = {"group": "mail", "title": "it works", "text": "", "advice": "", "seconds": 0.01}
    return {**plain, "state": state, **more}


def test_a_table_for_a_person() -> None:
    checks = [
        check("ok", seconds=0.52, text="in\x1b[31mdeed"),
        check("failed", title="it is right", text="it is not", advice="do this"),
        check("skipped", group="tls", text="there is none"),
        *[check("warning", group="tls", title=each, advice="look at it") for each in ("25", "587")],
    ]
    found = {"host": "mx1", "seconds": 1.26, "at": 1, "checks": checks}
    assert printed.as_text(found).splitlines() == [
        "mx1: 4 checks, 1 failed, 2 with a warning, 1 left out, in 1.3 s",
        "mail",
        "  ok        it works: in?[31mdeed (0.5 s)",
        "  FAILED    it is right: it is not",
        "            = do this",
        "tls",
        "  left out  it works: there is none",
        "  warning   25",
        "  warning   587",
        "            = look at it",
    ]
    assert json.loads(printed.as_json(found))["ok"] is False
    assert json.loads(printed.as_json({**found, "checks": checks[:1]}))["ok"] is True
    assert printed.as_json(found).count("\n") == 1


def test_bad_arguments() -> None:
    with pytest.raises(OperationValueError, match="format = 'jsno': allowed: table, json"):
        check_format("jsno")
    for bad in ([0], [65536], ["25"]):
        with pytest.raises(SettingsError, match="mail_verify_ports"):
            Settings(mail_hostname="mail.example.org", mail_verify_ports=bad)
