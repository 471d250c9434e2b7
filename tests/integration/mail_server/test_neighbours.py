"""A host with other uses: the files of others stay, and their services go on working."""

from __future__ import annotations

import re

import psycopg2
import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, journal, sample_accounts
from tests.support.sample_accounts import ALICE, STRANGER
from tests.targets.containers import Target
from tests.targets.shell import ROOT

pytestmark = pytest.mark.postgresql

PASSWORD = "shop's own password"
HBA = """\
# The shop, which runs on another machine
hostssl shop shop all scram-sha-256
# and whoever has a password
host all all all scram-sha-256
# and monitoring, which runs as a user of its own
local postgres postgres scram-sha-256
local all postgres peer
local all all trust
"""
ALIASES = f"# of the host\nroot: {ALICE}\n# Müller\nmailer-daemon: root\n".encode("latin-1")
SECRET = "[relay.example.net] us:a password that was here before\n"
MAIN = "# by hand\nmyhostname = old.example.net\n"
KEPT = "/var/lib/mailstack/found"
RELAY = "/etc/postfix/sasl_passwd"


@pytest.fixture(scope="module")
def host(module_factory: Factory, installed: str) -> Target:
    """Return a host with another application's database, aliases and an older mail server, deployed over."""
    target = module_factory("neighbours", image=installed)
    target.write("/tmp/hba", HBA.encode())
    target.write("/etc/aliases", ALIASES)
    target.write("/etc/postfix/main.cf", MAIN.encode())
    target.write(RELAY, SECRET.encode())
    target.exec(f"chmod 600 {RELAY}; cp /tmp/hba $(echo /etc/postgresql/*/main/pg_hba.conf)")
    target.exec(
        "set -e; systemctl start postgresql; cd /etc/postgresql/*/main;"
        " sed -i \"s/^#listen_addresses.*/listen_addresses = '*'/\" postgresql.conf;"
        " systemctl restart 'postgresql@*'"
    )
    role = PASSWORD.replace("'", "''")
    superuser(target, f"CREATE ROLE shop LOGIN PASSWORD '{role}'", "template1")
    superuser(target, f"ALTER ROLE postgres PASSWORD '{role}'", "template1")
    superuser(target, "CREATE DATABASE shop OWNER shop", "template1")
    assert shop_answers(target)
    assert monitoring_answers(target)
    deploys.run(target, sample_accounts.data())
    return target


def superuser(target: Target, sql: str, database: str) -> str:
    """Return the result of SQL as the superuser."""
    psql = ["runuser", "-u", "postgres", "--", "psql", "-XqAt", "-v", "ON_ERROR_STOP=1", database]
    return target.exec(psql, input=sql).stdout


def shop_answers(target: Target) -> bool:
    """Return whether the application gets into its database, from another machine."""
    connection = psycopg2.connect(host=target.ip, dbname="shop", user="shop", password=PASSWORD)
    connection.close()
    return True


def monitoring_answers(target: Target) -> bool:
    """Return whether another system user can log in to its database, with its password."""
    psql = [
        "runuser",
        "-u",
        "nobody",
        "--",
        "env",
        f"PGPASSWORD={PASSWORD}",
        "psql",
        "-XwAt",
        "-U",
        "postgres",
    ]
    return target.exec([*psql, "postgres", "-c", "SELECT 1"], check=False).stdout == "1\n"


def hba(target: Target) -> str:
    """Return the text of `pg_hba.conf`."""
    return target.exec("cat /etc/postgresql/*/main/pg_hba.conf").stdout


def test_an_application_keeps_its_database(host: Target) -> None:
    assert shop_answers(host)
    assert superuser(host, "SELECT 1", "shop") == "1\n"
    assert hba(host).endswith(HBA)


def test_logins_to_the_database_postgres_still_work(host: Target) -> None:
    """The mail database was created from there."""
    assert monitoring_answers(host)
    assert "template1" not in hba(host)


def test_no_line_of_others_opens_the_mail_database(host: Target) -> None:
    password = host.read("/var/lib/mailstack/secrets/db-lookup-password").decode().strip()
    with pytest.raises(psycopg2.OperationalError, match=r"pg_hba\.conf rejects connection"):
        psycopg2.connect(host=host.ip, dbname="mail", user="maillookup", password=password)
    for user in ("postgres", "maillookup", "shop"):
        psql = ["runuser", "-u", "nobody", "--", "psql", "-Xw", "-U", user, "mail", "-c", "SELECT 1"]
        assert host.exec(psql, check=False).returncode != 0, user


def test_mail_flows_beside_it(host: Target) -> None:
    deploys.assert_mail_flows(host)
    deploys.assert_converged(host, sample_accounts.data())


def test_aliases_of_others_are_kept(host: Target) -> None:
    assert host.read("/etc/aliases") == ALIASES
    for name in ("root", "mailer-daemon", "postmaster"):
        message_id = clients.send(host, clients.message(STRANGER, f"{name}@{sample_accounts.HOSTNAME}"))
        assert clients.received(host, ALICE, message_id)


def test_mailstack_s_aliases_win_over_those_and_are_removed_again(host: Target) -> None:
    data = sample_accounts.data(mail_local_aliases={"root": [sample_accounts.BOB], "ops": "root"})
    deploys.run(host, data)
    assert host.read("/etc/aliases").endswith(ALIASES)
    deploys.assert_converged(host, data)
    twice = [line for line in journal.complaints(host) if "duplicate entry" in line]
    assert twice
    assert all(any(known.search(line) for known in journal.explained()) for line in twice)
    message_id = clients.send(host, clients.message(STRANGER, f"ops@{sample_accounts.HOSTNAME}"))
    assert clients.received(host, sample_accounts.BOB, message_id)
    deploys.run(host, sample_accounts.data())
    assert host.read("/etc/aliases") == ALIASES


@pytest.mark.parametrize(
    ("path", "line"),
    [("/etc/aliases", "www: root"), ("/etc/postgresql/*/main/pg_hba.conf", "local shop all peer")],
)
def test_a_change_by_hand_stays_outside_the_block_and_is_undone_inside(
    host: Target, path: str, line: str
) -> None:
    data = sample_accounts.data(mail_local_aliases={"ops": "root"})
    deploys.run(host, data)
    (name,) = host.exec(f"echo {path}").stdout.split()
    before = host.read(name)
    host.exec(f"echo '{line}' >> {name}; sed -i '2 i # harm' {name}")
    deploys.run(host, data)
    assert host.read(name) == before + f"{line}\n".encode()
    deploys.assert_converged(host, data)


def test_an_alias_of_others_is_found_without_newaliases(host: Target) -> None:
    host.exec("echo 'later: root' >> /etc/aliases")
    run = deploys.run(host, sample_accounts.data(mail_local_aliases={"ops": "root"}))
    assert deploys.said(run) == ["/etc/aliases: index", "postfix: reload"]
    assert clients.replies(host, f"later@{sample_accounts.HOSTNAME}") == 250


def test_replaced_files_are_kept_once(host: Target) -> None:
    found = {"/etc/postfix/main.cf": MAIN, RELAY: SECRET}
    deploys.run(host, sample_accounts.data(mail_message_size_limit=100_000))
    for path, text in found.items():
        assert host.read(KEPT + path).decode() == text
    (kept_hba,) = host.exec(f"ls {KEPT}/etc/postgresql/*/main/pg_hba.conf").stdout.split()
    assert host.read(kept_hba).decode() == HBA
    assert host.exec(f"stat -c '%a %U:%G' {KEPT}{RELAY} {kept_hba}").stdout.splitlines() == [
        "600 root:root",
        "640 postgres:postgres",
    ]
    assert host.exec(["runuser", "-u", "nobody", "--", "ls", KEPT], check=False).returncode != 0
    # nothing of ours, and nothing that has our name
    assert host.exec(f"grep -rl 'Written by mailstack' {KEPT}", check=False).stdout == ""
    assert host.exec(f"find {KEPT} -name '*mailstack*' -o -name '*.new'").stdout == ""


EXIM_HEADER = """\
{name}-H
root 0 0
<{sender}>
1795916476 0
-received_protocol local
-body_linecount 2
YN done@elsewhere.example
NN gone@elsewhere.example
XX
3
done@elsewhere.example
{recipient}
gone@elsewhere.example

060P Received: from root by old with local
\tid 1xXTum-000000000E
025* Bcc: x@elsewhere.example
{length:03}I Message-ID: {message_id}
"""


def test_the_queue_that_exim4_left_is_named_and_can_be_delivered(host: Target) -> None:
    """The header and data files are as Exim 4.98 writes them."""
    deploys.run(host, sample_accounts.data())
    queue = "/var/spool/exim4/input"
    host.exec(["mkdir", "-p", f"{queue}/m"])
    sent = {}
    for name, sender in (("1xXTum-000000000Ee-2Qyq", STRANGER), ("m/1xXTum-000000000Eg-2zTr", "")):
        message_id = str(clients.message(STRANGER, ALICE)["Message-ID"])
        header = EXIM_HEADER.format(
            name=name, sender=sender, recipient=ALICE, message_id=message_id, length=13 + len(message_id)
        )
        host.write(f"{queue}/{name}-H", header.encode())
        host.write(f"{queue}/{name}-D", f"{name}-D\nof exim\n.\n".encode())
        sent[message_id] = sender
    (said,) = deploys.said(deploys.run(host, sample_accounts.data()))
    assert said.startswith(f"2 messages lie in exim4's queue ({queue}): ")
    page = (ROOT / "docs/troubleshooting.md").read_text()
    (script,) = re.findall(r"```perl\n(.*?)```", page, re.DOTALL)
    host.exec(["perl", "-"], input=script)
    for message_id, sender in sent.items():
        text = clients.received(host, ALICE, message_id)
        assert text.startswith(f"Return-Path: <{sender}>\r\n".encode())
        assert text.endswith(b"\r\n\r\nof exim\r\n.\r\n")
        assert b"Bcc" not in text
    assert clients.log(host, "to=<(done|gone)@elsewhere") == []
    deploys.assert_converged(host, sample_accounts.data())


def test_other_clients_of_the_mail_database_are_named_before_any_change(
    factory: Factory, installed: str
) -> None:
    target = factory("taken", image=installed)
    line = "host mail webmail 192.0.2.7/32 scram-sha-256"
    target.exec(f"echo '{line}' >> $(echo /etc/postgresql/*/main/pg_hba.conf)")
    for args in (["-y"], ["--dry"]):
        run = target.pyinfra(*args, "deploy.py", data=sample_accounts.data())
        assert run.returncode != 0
        assert line in run.stderr
        assert "mail_db_hba" in run.stderr
        assert "Traceback" not in run.stderr
    assert target.exec("ls /var/lib/mailstack").stdout == "brought\n"  # by the installation, before
