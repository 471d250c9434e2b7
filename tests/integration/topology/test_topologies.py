"""The database on another host: one of the inventory, or a server outside it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, provided_postgresql, sample_accounts
from tests.support.releases import on_debian_13
from tests.support.sample_accounts import ALICE
from tests.targets import networks
from tests.targets.containers import Target
from tests.targets.networks import Network
from tests.targets.pyinfra import PyinfraRun, pyinfra
from tests.targets.shell import docker

pytestmark = pytest.mark.postgresql

SQL_FILE = "/etc/postfix/sql/virtual_mailboxes.cf"
ADMIN, ADMIN_PASSWORD = "dbadmin", "an admin's 'password'"
LOOKUP_PASSWORD = "shared with mail hosts only"
UPGRADE_PASSWORD = "an: other \\ one"


@pytest.fixture(scope="module")
def database(network: Network, debian: int) -> Iterator[Target]:
    """Yield a host of the other Debian release, bare for the first test."""
    name = f"{networks.WORKER_NAME}-database-{debian}"
    target = Target(name, 25 - debian, network, hostname="db.example.org").create()
    yield target
    target.remove()


def test_a_host_is_left_alone_if_the_one_with_its_database_can_not_be(
    factory: Factory, installed: str, database: Target, tmp_path: Path
) -> None:
    mail = factory("mail", image=installed)
    users = [{"email": "anna@exmaple.org", "initial_password": "x"}]
    addresses = {"mail_address": mail.ip}, {"mail_address": database.ip, "mail_users": users}
    inventory = tmp_path / "inventory.py"
    inventory.touch(mode=0o600)
    inventory.write_text(
        f"db = [('@docker/{database.name}', {sample_accounts.data(**addresses[1])!r})]\n"
        f"mx = imap = [('@docker/{mail.name}', {sample_accounts.data(**addresses[0])!r})]\n"
    )
    left_out = f"{database.name} has the database and was left out"
    too_early = f"{database.name} has the database, does not keep db-lookup-password yet and comes after"
    # pyinfra goes from host to host in any order
    for how, said in (((), (left_out,)), (("--serial",), (left_out, too_early))):
        run = pyinfra(inventory, "-y", *how, "deploy.py")
        assert run.returncode == 1 and "Traceback" not in run.stderr
        assert "user anna@exmaple.org: there is no domain exmaple.org" in run.stderr
        assert any(text in run.stderr for text in said)
        for host in (mail, database):
            # the record of the installation is older
            look = "find /var/lib/mailstack /etc/ssl/mailstack -type f ! -path '*/brought/*'"
            assert host.exec(look, check=False).stdout == ""


def test_the_database_on_a_host_of_its_own(
    factory: Factory, installed: str, database: Target, tmp_path: Path
) -> None:
    mail = factory("mail", image=installed)
    inventory = tmp_path / "inventory.py"
    inventory.touch(mode=0o600)
    hosts = {
        "db": [(f"@docker/{database.name}", sample_accounts.data(mail_address=database.ip))],
        "mx": [(f"@docker/{mail.name}", sample_accounts.data(mail_address=mail.ip))],
        "imap": [f"@docker/{mail.name}"],
    }
    inventory.write_text("".join(f"{group} = {members!r}\n" for group, members in hosts.items()))

    def run() -> PyinfraRun:
        return pyinfra(inventory, "-y", "--json", "deploy.py").check()

    first = run()
    assert first.json["results"]["totals"]["error"] == 0
    assert run().changed == []
    deploys.assert_mail_flows(mail)

    # one password, which the host with the database keeps
    kept = database.read("/var/lib/mailstack/secrets/db-lookup-password").decode().strip()
    assert f"password = {kept}" in mail.read(SQL_FILE).decode().splitlines()
    assert mail.exec("ls /var/lib/mailstack/secrets", check=False).returncode != 0
    assert database.exec("command -v postconf doveconf", check=False).returncode != 0
    # it goes over TLS, and from the mail host alone
    encrypted = "SELECT bool_and(ssl) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE client_addr = "
    psql = ["runuser", "-u", "postgres", "--", "psql", "-XAtc", f"{encrypted}'{mail.ip}'"]
    assert database.exec(psql).stdout.strip() == "t"
    with pytest.raises(psycopg2.OperationalError, match=r"pg_hba\.conf rejects"):
        psycopg2.connect(host=database.ip, dbname="mail", user="maillookup", password=kept)

    # a host that is switched off ends no connection: clients don't hang, and all works when it is back
    address = database.ip
    docker("network", "disconnect", "--force", database.network.name, database.name)
    gone = time.monotonic()
    assert clients.replies(mail, ALICE) == 451
    assert time.monotonic() - gone < 20
    docker("network", "connect", "--ip", address, database.network.name, database.name)
    back = time.monotonic()
    clients.eventually(lambda: clients.replies(mail, ALICE) == 250, "not well", timeout=30)
    print("well again after", time.monotonic() - back)
    deploys.assert_mail_flows_again(mail)

    # mailstack-recover ends processes of Dovecot, and again while the journal has complaints of before
    told = "journalctl --quiet --unit=mailstack-recover --since=-15s --grep='ask it again'"
    clients.eventually(lambda: not mail.exec(told, check=False).stdout, "it does not settle", 120)

    # both hosts prove it; the accounts for that are made on one, and used on the other
    proof = pyinfra(inventory, "-y", "mailstack.verify").check().stdout
    assert proof.count(" checks, 0 failed") == 2 and "IMAP lets the user in" in proof
    left = "SELECT email FROM mail_users UNION SELECT email FROM mail_former_users"
    assert "mailstack-verify" not in clients.sql(database, f"{left};")


def test_the_host_with_the_database_is_not_in_the_run(
    factory: Factory, installed: str, tmp_path: Path
) -> None:
    """With ``--limit``, or while it is away, the run does nothing that needs it, and says so."""
    mail = factory("mail", image=installed)
    away = sample_accounts.data(mail_address="192.0.2.1", ssh_hostname="127.0.0.1", ssh_port=9)
    inventory = tmp_path / "inventory.py"
    inventory.touch(mode=0o600)
    inventory.write_text(
        f"db = [('db.example.org', {away!r})]\n"
        f"mx = [('@docker/{mail.name}', {sample_accounts.data(mail_address=mail.ip)!r})]\n"
        f"imap = ['@docker/{mail.name}']\n"
    )
    account = ("mailstack.accounts.domain", "new.example")
    for how in (("--limit", "mx", "-y"), ("--limit", "imap", "--dry"), ("-y",)):
        for what in (("deploy.py",), account):
            run = pyinfra(inventory, *how, *what)
            said = run.stdout + run.stderr
            assert run.returncode != 0, said
            assert "db.example.org was not reached" in said
            assert f"because @docker/{mail.name} is in the groups mx and imap" in said
            assert "Traceback" not in said and "bug report" not in said
            assert "Starting operation" not in said


def test_mail_received_on_one_host_and_read_on_another(server: Target, tmp_path: Path) -> None:
    """The run is refused before a host is touched, with either host in the run."""
    name = f"@docker/{server.name}"
    inventory = tmp_path / "inventory.py"
    inventory.touch(mode=0o600)
    inventory.write_text(
        f"imap = [({name!r}, {sample_accounts.data(mail_address=server.ip)!r})]\n"
        f"db = [{name!r}]\n"
        f"mx = [('mx.example.org', {sample_accounts.data(mail_address='192.0.2.1')!r})]\n"
    )
    for how in ("-y", "--dry"):
        run = pyinfra(inventory, "--limit", "imap", how, "deploy.py")
        said = run.stdout + run.stderr
        assert run.returncode != 0, said
        assert "because mx.example.org is in the group mx alone" in said
        assert "Traceback" not in said and "Starting operation" not in said


# it compares what is in files, the same on either release
@on_debian_13
def test_a_server_with_users_is_not_led_to_an_empty_database(
    factory: Factory, server: Target, installed: str, tmp_path: Path
) -> None:
    """Neither host is changed: the second could not become a standby once it has data of its own."""
    empty = factory("empty", image=installed, hostname="db.example.org")
    inventory = tmp_path / "inventory.py"
    inventory.touch(mode=0o600)
    inventory.write_text(
        f"db = [('@docker/{empty.name}', {sample_accounts.data(mail_address=empty.ip)!r})]\n"
        f"mx = imap = [('@docker/{server.name}', {sample_accounts.data(mail_address=server.ip)!r})]\n"
    )
    before = server.read(SQL_FILE)
    run = pyinfra(inventory, "-y", "deploy.py")
    assert run.returncode == 1 and "Traceback" not in run.stderr
    said = f"main of @docker/{server.name} has a mail database in use; @docker/{server.name} would ask"
    assert said in run.stderr and f"mailstack.db.promote @docker/{empty.name} has moved it" in run.stderr
    # the record of the installation is older
    look = "find /var/lib/mailstack -type f ! -path '*/brought/*'"
    assert empty.exec(look, check=False).stdout == ""
    assert server.read(SQL_FILE) == before and clients.replies(server, ALICE) == 250


# it has the other release, as the one above, which has both
@on_debian_13
def test_a_database_outside_the_inventory(factory: Factory, installed: str, database: Target) -> None:
    provided_postgresql.set_up(database, ADMIN, ADMIN_PASSWORD)
    mail = factory("mail", image=installed)
    data = sample_accounts.data(
        mail_db_dsn=f"host={database.ip} user={ADMIN} password='an admin\\'s \\'password\\'' sslmode=require",
        mail_db_lookup_password=LOOKUP_PASSWORD,
        mail_db_upgrade_password=UPGRADE_PASSWORD,
    )
    first = deploys.run(mail, data, "-vvv")
    for secret in (
        ADMIN_PASSWORD,
        LOOKUP_PASSWORD,
        UPGRADE_PASSWORD,
        "SCRAM-SHA-256$",
        *sample_accounts.PASSWORDS.values(),
    ):
        assert secret not in first.stdout + first.stderr
    assert mail.exec("systemctl is-active postgresql", check=False).stdout.strip() != "", "installed, unused"
    deploys.assert_converged(mail, data)
    deploys.assert_mail_flows(mail)
    proof = mail.pyinfra("-y", "mailstack.verify", data=data).check().stdout
    assert " checks, 0 failed" in proof and "IMAP lets the user in" in proof

    provided_postgresql.run_sql(database, "DROP INDEX mailstack_users_domain", "mail")
    provided_postgresql.run_sql(database, "ALTER ROLE maillookup PASSWORD 'other'")
    healed = deploys.said(deploys.run(mail, data))
    assert any("index mailstack_users_domain" in line for line in healed), healed
    assert any("role maillookup: password" in line for line in healed), healed
    deploys.assert_converged(mail, data)
    assert clients.replies(mail, sample_accounts.ALICE) == 250
