"""MariaDB: changes by hand are named and fixed, and the next run completes an interrupted one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.targets.containers import Target
from tests.targets.shell import TargetError

pytestmark = pytest.mark.mariadb


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Iterator[Target]:
    """Yield a copy of the standard server."""
    yield module_clone("mariadb")


TAMPERED = {
    "ALTER TABLE mail_users MODIFY home_directory VARCHAR(10)": "column mail_users.home_directory",
    "ALTER TABLE mail_users ALTER can_send SET DEFAULT FALSE": "column mail_users.can_send",
    "ALTER TABLE mail_users DROP CONSTRAINT mailstack_users_form": (
        "constraint mailstack_users_form on mail_users"
    ),
    "ALTER TABLE mail_alias DROP FOREIGN KEY mailstack_alias_domain": (
        "constraint mailstack_alias_domain on mail_alias"
    ),
    "ALTER TABLE mail_alias DROP INDEX mailstack_alias_destination": (
        "index mailstack_alias_destination on mail_alias"
    ),
    "DROP TRIGGER mailstack_circle_insert": "trigger mailstack_circle_insert on mail_alias",
    "DROP FUNCTION mailstack_upgrade_password": "function mailstack_upgrade_password",
    "CREATE OR REPLACE PROCEDURE mailstack_check_class(domain TEXT) DO 0": "procedure mailstack_check_class",
    "DROP TABLE mail_sender": "table mail_sender",
    "ALTER USER maillookup@127.0.0.1 IDENTIFIED BY 'x'": "account maillookup@127.0.0.1: password",
    "ALTER USER mailadmin@127.0.0.1 ACCOUNT LOCK": "account mailadmin@127.0.0.1: not locked",
    "GRANT INSERT ON mail.mail_alias TO maillookup@127.0.0.1": "no INSERT on mail.mail_alias",
    "CREATE USER maillookup@'%'": "account maillookup@%: unwanted",
    "CREATE USER web@localhost; GRANT SELECT ON mail.* TO web@localhost": (
        "account web@localhost: not on mail.*"
    ),
}


def test_changes_by_hand_are_named_and_fixed(host: Target) -> None:
    """One run names and fixes all of them."""
    clients.sql(host, "; ".join(TAMPERED))
    said = " ".join(deploys.said(deploys.run(host, sample_accounts.data())))
    assert [named for named in TAMPERED.values() if named not in said] == []
    deploys.assert_converged(host, sample_accounts.data())
    deploys.assert_mail_flows(host)
    with pytest.raises(TargetError, match="close a circle"):
        clients.sql(
            host,
            "INSERT INTO mail_alias (source_email, destination_email)"
            " VALUES ('p@example.org', 'q@example.org'), ('q@example.org', 'p@example.org')",
        )


def test_the_next_run_completes_an_interrupted_schema(host: Target) -> None:
    """MariaDB commits with every change of a table, so a killed run leaves this state."""
    clients.sql(
        host,
        "DELETE FROM mailstack_schema; DROP TRIGGER mailstack_users_insert;"
        " ALTER TABLE mail_users DROP FOREIGN KEY mailstack_users_domain;"
        " ALTER TABLE mail_sender DROP FOREIGN KEY mailstack_sender_user",
    )
    assert any("tables.sql" in line for line in deploys.said(deploys.run(host, sample_accounts.data())))
    deploys.assert_converged(host, sample_accounts.data())


def test_addresses_differ_in_every_byte(host: Target) -> None:
    key = "SELECT count(*) FROM mail_users WHERE email = '{}'"
    found = [
        clients.sql(host, key.format(name))
        for name in (sample_accounts.ALICE, sample_accounts.ALICE + " ", "älice@example.org")
    ]
    assert found == ["1", "0", "0"]


def test_the_lookup_account_may_read_and_nothing_else(host: Target) -> None:
    password = host.read("/var/lib/mailstack/secrets/db-lookup-password").decode().strip()
    host.write("/root/lookup.cnf", f"[client]\npassword={password}\n".encode())
    client = "mariadb --defaults-file=/root/lookup.cnf --host=127.0.0.1 --user=maillookup --batch mail"

    def refused(sql: str) -> bool:
        return "denied" in host.exec(f"{client} 2>&1", input=sql, check=False).stdout

    assert not refused("SELECT * FROM mail_users")
    for sql in (
        "DELETE FROM mail_users",
        "UPDATE mail_users SET active = TRUE",
        "INSERT INTO mail_domain (domain_name) VALUES ('example.net')",
        "CREATE TABLE mine (x INT)",
        "SELECT * FROM mailstack_schema",
        "SELECT mailstack_upgrade_password('alice@example.org', 'x')",
        "SELECT * FROM mysql.global_priv",
    ):
        assert refused(sql), sql


def test_an_application_beside_it_still_gets_in(host: Target) -> None:
    """It may also use a host name that the server resolves, and load a local file."""
    clients.sql(
        host,
        "CREATE DATABASE shop; CREATE TABLE shop.item (name TEXT);"
        " CREATE USER shop@localhost IDENTIFIED BY 'the shop'; GRANT ALL ON shop.* TO shop@localhost",
    )
    host.write("/root/shop.cnf", b"[client]\npassword='the shop'\n")
    host.write("/root/items", b"apple\n")
    client = "mariadb --defaults-file=/root/shop.cnf -h 127.0.0.1 -u shop --local-infile -BN shop"
    load = "LOAD DATA LOCAL INFILE '/root/items' INTO TABLE item; SELECT name FROM item"
    assert host.exec(client, input=load).stdout == "apple\n"
    said = host.exec(f"{client} 2>&1", input="USE mail", check=False).stdout
    assert "denied" in said
    clients.sql(host, "DROP DATABASE shop; DROP USER shop@localhost")


def test_it_listens_within_the_host_only(host: Target) -> None:
    assert host.exec("ss -tlnH sport = :3306").stdout.split()[3] == "127.0.0.1:3306"
