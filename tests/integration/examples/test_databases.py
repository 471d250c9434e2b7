"""The examples with another database, or with one elsewhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, dns, examples, provided_postgresql
from tests.support.sample_accounts import ALICE, HOSTNAME
from tests.targets.containers import Target

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.parametrize("debian", [12], ids=["debian12"], indirect=True),
]


@pytest.mark.long
def test_two_hosts(factory: Factory, installed: str, names: Target, tmp_path: Path) -> None:
    mail, database = factory("mail", image=installed), factory("database", hostname="db.example.org")
    example = examples.prepared(
        "two-hosts",
        tmp_path,
        {HOSTNAME: mail, "db.example.org": database},
        {"192.0.2.1": database.ip, "192.0.2.2": mail.ip},
    )
    example.deploy()
    dns.use(mail, names)
    example.add_alice()
    deploys.assert_mail_flows(mail)
    assert clients.sql(database, "SELECT email FROM mail_users") == ALICE
    assert database.exec("command -v postconf doveconf", check=False).stdout == ""
    assert example.deploy() == []


@pytest.mark.long
def test_external_postgresql(factory: Factory, installed: str, names: Target, tmp_path: Path) -> None:
    mail, database = factory("mail", image=installed), factory("database", hostname="db.example.net")
    provided_postgresql.set_up(database, "dbadmin", "of-the-provider")
    example = examples.prepared(
        "external-postgresql",
        tmp_path,
        {HOSTNAME: mail},
        {"db.example.net": database.ip},
        {"DB_PASSWORD": "of-the-provider", "DB_LOOKUP_PASSWORD": "of Postfix"},
    )
    example.deploy()
    dns.use(mail, names)
    example.add_alice()
    deploys.assert_mail_flows(mail)
    assert clients.sql(database, "SELECT email FROM mail_users") == ALICE
    assert example.deploy() == []


@pytest.mark.long
def test_mariadb(bare: Factory, names: Target, tmp_path: Path) -> None:
    host = bare()
    example = examples.prepared("mariadb", tmp_path, {HOSTNAME: host})
    example.deploy()
    dns.use(host, names)
    example.add_alice()
    deploys.assert_mail_flows(host)
    assert clients.sql(host, "SELECT email FROM mail_users") == ALICE
    assert host.exec("command -v postgres psql", check=False).stdout == ""
    assert example.deploy() == []
