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
def test_six_hosts(factory: Factory, installed: str, names: Target, tmp_path: Path) -> None:
    """Mail flows by either of the first two, and without the primary of the database."""
    words = ("mx1", "mx2", "imap1", "imap2", "db1", "db2")
    mx1, mx2, imap1, imap2, db1, db2 = hosts = [
        factory(word, image=installed, hostname=f"{word}.example.org") for word in words
    ]
    example = examples.prepared(
        "six-hosts",
        tmp_path,
        {host.hostname: host for host in hosts},
        {f"192.0.2.{number}": host.ip for number, host in enumerate(hosts, 1)},
    )
    example.deploy()
    for host in (mx1, mx2, imap1, imap2):
        dns.use(host, names)
    example.run("user", "add", ALICE, "-y", "--password-from", "env:ALICE", "--backend", imap2.hostname)
    deploys.assert_mail_flows(mx1)
    deploys.assert_mail_flows(mx2)
    imap2.exec(["ls", clients.home(db1, ALICE)])
    assert "10 mx1.example.org." in example.run("dns", "zone", "--limit", mx1.hostname).stdout
    assert "streaming" in example.run("db", "status").stdout
    assert example.deploy() == []
    example.run("move", ALICE, imap1.hostname, "-y")
    deploys.assert_mail_flows(mx2)
    db1.exec("systemctl stop 'postgresql@*-main.service'")
    assert clients.sql(db2, "SELECT backend FROM mail_users") == imap1.hostname
    deploys.assert_mail_flows_again(mx1)


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
