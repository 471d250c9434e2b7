"""The next run fixes every change by hand, and reports exactly that."""

from __future__ import annotations

import imaplib
import shlex
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

import pytest

from mailstack.file_plan import paths
from mailstack.files import Entry, File
from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.deploys import CREATE, DATABASE, SERVICES, WRITE, is_written
from tests.support.releases import on_debian_13
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

DATA = sample_accounts.data(
    mail_db_engine="postgresql",
    mail_virtual={"static@example.org": [sample_accounts.ALICE]},
    mail_pop3=True,
    mail_sieve_before="keep;",
    mail_sieve_after="keep;",
)
TABLE = "hash:/etc/postfix/virtual"


@pytest.fixture(scope="module")
def victim(module_clone: Factory) -> Target:
    """Return a copy of the standard server, with a table that is not empty."""
    target = module_clone("tampering")
    deploys.run(target, DATA)
    return target


@pytest.fixture(scope="module")
def managed(victim: Target) -> list[Entry]:
    """Return all paths that mailstack owns there."""
    return deploys.managed(victim, DATA)


@pytest.fixture
def unharmed(victim: Target, managed: list[Entry]) -> Iterator[None]:
    """After the test every managed file and index is what it was, and the next run has nothing to do."""
    every = paths(managed)
    # no two indexes are alike
    texts = shlex.join(path for path in every if not path.endswith((".db", ".svbin")))
    look = f"stat -c '%F %a %U:%G %n' -- {shlex.join(every)}; sha256sum -- {texts}; postmap -s {TABLE}; true"
    before = victim.exec(look).stdout
    yield
    assert victim.exec(look).stdout.splitlines() == before.splitlines()
    deploys.assert_converged(victim, DATA)


def test_a_changed_file_is_written_again(victim: Target, unharmed: None) -> None:
    victim.exec("echo '# by hand' >> /etc/postfix/main.cf")
    assert_healed(victim, ["/etc/postfix/main.cf: content"])


def test_files_that_should_not_be_are_removed(victim: Target, managed: list[Entry], unharmed: None) -> None:
    unwanted = [entry.path for entry in managed if isinstance(entry, File) and entry.content is None]
    make = 'for path; do mkdir -p "${path%/*}"; touch "$path"; done'
    victim.exec(["sh", "-c", make, "sh", *unwanted])
    assert_healed(victim, [f"{path}: unwanted" for path in unwanted])


@pytest.mark.parametrize(
    ("reason", "command"),
    [
        ("content", "echo '# by hand' >> {}"),
        ("missing", "rm {}"),
        ("type", "mv {0} {0}.moved; ln -s {0}.moved {0}"),
    ],
    ids=["changed", "deleted", "link"],
)
def test_all_files_come_back(
    victim: Target, managed: list[Entry], unharmed: None, reason: str, command: str
) -> None:
    entries = [entry for entry in managed if is_written(entry)]
    victim.exec("; ".join(command.format(shlex.quote(entry.path)) for entry in entries))
    assert_healed(victim, [f"{entry.path}: {reason}" for entry in entries])


@pytest.mark.parametrize(
    ("reason", "command"),
    [("mode", "chmod a+rwx"), ("owner", "chown games"), ("owner", "chgrp games")],
    ids=["mode", "owner", "group"],
)
def test_modes_and_owners_are_put_right(
    victim: Target, managed: list[Entry], unharmed: None, reason: str, command: str
) -> None:
    entries = [entry for entry in managed if is_written(entry) or not isinstance(entry, File)]
    victim.exec(f"{command} {shlex.join(entry.path for entry in entries)}")
    lines = [f"{entry.path}: {reason}" for entry in entries]
    run = deploys.run(victim, DATA)
    assert deploys.said(run) == lines, "no daemon has to take notice"
    assert deploys.changed(run) == [DATABASE, WRITE]


@dataclass(frozen=True)
class Harm:
    """A change by hand; the output of the next run, and its operations with changes."""

    command: str
    said: tuple[str, ...]
    changed: tuple[str, ...]


def psql(sql: str, database: str = "mail") -> str:
    """Return a shell command that runs SQL as the superuser."""
    return f"cd /; runuser -u postgres -- psql -Xqv ON_ERROR_STOP=1 -d {database} -c {shlex.quote(sql)}"


def index(command: str, path: str, reason: str = "index", *, reload: bool = True) -> Harm:
    """Return harm done to the index of a table."""
    harm = Harm(command, (f"{path}: {reason}",), (WRITE,))
    notice = Harm(command, (*harm.said, "postfix: reload"), (*harm.changed, SERVICES))
    return notice if reload else harm


RELOADED = ("dovecot: reload", "postfix: reload")


def binary(command: str, reason: str = "index") -> Harm:
    """Return harm done to a compiled Sieve script, which needs no reload."""
    said = (f"/etc/dovecot/sieve/before.sieve: {reason}",)
    return Harm(f"cd /etc/dovecot/sieve; {command}", said, (WRITE,))


def unit(command: str, name: str, words: str) -> Harm:
    """Return harm done to a service. Its clients are told when PostgreSQL was restarted."""
    heard = name == "postgresql" and "start" in words
    said = RELOADED if heard else ()
    changed: tuple[str, ...] = (DATABASE,) if name == "postgresql" else (SERVICES,)
    changed += (SERVICES,) if heard else ()
    along = ("mailstack-recover: start",) if name == "postfix" and "start" in words else ()
    return Harm(command, (f"{name}: {words}", *along, *said), changed)


def database(sql: str, *said: str) -> Harm:
    """Return harm done to a role or to the schema."""
    return Harm(psql(sql), said, (DATABASE,))


def user(command: str, words: str) -> Harm:
    """Return harm done to vmail."""
    return Harm(command, (f"user vmail: {words}",), (CREATE,))


HARMS = (
    index("rm /etc/postfix/virtual.db", "/etc/postfix/virtual"),
    index("rm /etc/aliases.db", "/etc/aliases"),
    index("echo garbage > /etc/postfix/transport.db", "/etc/postfix/transport"),
    index(
        "echo x x > /root/x; postmap /root/x; cp /root/x.db /etc/postfix/virtual.db", "/etc/postfix/virtual"
    ),
    index("chmod a+r /etc/postfix/sasl_passwd.db", "/etc/postfix/sasl_passwd", "mode", reload=False),
    index("chown games /etc/postfix/sasl_passwd.db", "/etc/postfix/sasl_passwd", "owner", reload=False),
    binary("rm before.svbin"),
    binary("echo garbage > before.svbin"),
    binary("cp after.svbin before.svbin"),
    binary("chmod 600 before.svbin", "mode"),
    database("ALTER ROLE maillookup SUPERUSER", "role maillookup: no SUPERUSER"),
    database("ALTER ROLE maillookup PASSWORD 'other'", "role maillookup: password"),
    database("ALTER ROLE mailadmin NOLOGIN CREATEROLE", "role mailadmin: no CREATEROLE, LOGIN"),
    database(
        "ALTER ROLE maillookup RESET default_transaction_read_only",
        "role maillookup: default_transaction_read_only=on",
    ),
    database("ALTER ROLE mailadmin VALID UNTIL '2020-01-01'", "role mailadmin: no expiry"),
    database("GRANT pg_read_all_data TO maillookup", "role maillookup: not a member of pg_read_all_data"),
    database("ALTER TABLE mail_alias OWNER TO postgres", "schema: owner of table mail_alias"),
    database(
        "GRANT INSERT ON mail_users TO maillookup", "schema: grant INSERT on table mail_users to maillookup"
    ),
    Harm(
        "rm -r /etc/ssl/mailstack",
        (f"make a certificate for {sample_accounts.HOSTNAME}", *RELOADED),
        (CREATE, SERVICES),
    ),
    # no harm: mail may lie on another disk
    Harm("mv /var/vmail /srv/vmail; ln -s /srv/vmail /var/vmail", (), ()),
    user("usermod -s /bin/sh vmail", "change"),
    user("usermod -d /tmp vmail", "change"),
    user("userdel vmail", "create"),
)
OF_UNITS = (
    unit("systemctl stop postfix", "postfix", "start"),
    unit("systemctl stop dovecot", "dovecot", "start"),
    unit("systemctl stop postgresql", "postgresql", "start"),
    unit("systemctl disable postfix", "postfix", "enable"),
    unit("systemctl disable dovecot", "dovecot", "enable"),
    unit("systemctl disable postgresql", "postgresql", "enable"),
    unit("systemctl mask --now postfix", "postfix", "unmask, enable, start"),
    unit("systemctl mask --now dovecot", "dovecot", "unmask, enable, start"),
    unit("systemctl mask --now postgresql@$(ls /etc/postgresql)-main", "postgresql", "unmask, start"),
)


def shown(harm: Harm) -> str:
    """Return the name of a harm in that of its test."""
    return harm.command[:50]


# the releases differ in their units alone: the tests above and below see that all is written on both
@on_debian_13
@pytest.mark.parametrize("harm", HARMS, ids=shown)
def test_harm_is_undone(victim: Target, harm: Harm) -> None:
    assert_undone(victim, harm)


@pytest.mark.parametrize("harm", OF_UNITS, ids=shown)
def test_a_unit_works_as_before(victim: Target, harm: Harm) -> None:
    assert_undone(victim, harm)


def assert_undone(victim: Target, harm: Harm) -> None:
    """Do the harm, and assert that one run undoes it and says exactly that."""
    victim.exec(harm.command)
    run = deploys.run(victim, DATA)
    # after a mask, systemd of Debian 12 wants to be told
    said = [line.replace("daemon-reload, ", "") for line in deploys.said(run)]
    assert (said, deploys.changed(run)) == ([*harm.said], [*harm.changed])


@pytest.mark.parametrize("unit", ["postfix@-", "postfix", "dovecot", "postgresql@*"])
def test_a_killed_service_runs_again(victim: Target, unit: str) -> None:
    victim.exec(f"systemctl kill -s KILL '{unit}'; sleep 0.2", check=False)
    run = deploys.run(victim, DATA)  # systemd may have been quicker
    assert {word for line in deploys.said(run) for word in line.split(": ")[1:]} <= {"start", "reload"}
    deploys.assert_mail_flows_again(victim)


def test_a_lost_password_is_made_anew_everywhere(victim: Target) -> None:
    victim.exec("rm /var/lib/mailstack/secrets/db-lookup-password")
    run = deploys.run(victim, DATA)
    assert deploys.changed(run) == [CREATE, DATABASE, WRITE, SERVICES]
    assert "role maillookup: password" in deploys.said(run)
    deploys.assert_mail_flows(victim)


@pytest.mark.parametrize(
    "command",
    ["rm cert.pem", "rm key.pem", "openssl genpkey -algorithm ed25519 -out key.pem", "> cert.pem"],
)
def test_a_certificate_that_does_not_serve_is_replaced(victim: Target, command: str) -> None:
    victim.exec(f"cd /etc/ssl/mailstack; {command}")
    run = deploys.run(victim, DATA)
    assert deploys.changed(run) == [CREATE, SERVICES]
    on_disk = victim.read("/etc/ssl/mailstack/cert.pem").decode()

    def served() -> bool:
        with suppress(OSError):  # of a service that just reloads
            shown = [ssl.get_server_certificate((victim.ip, port)) for port in (465, 993)]
            return [each.split() for each in shown] == [on_disk.split()] * 2
        return False

    clients.eventually(served, "another certificate is served")


def test_the_daemons_run_what_is_on_disk(victim: Target) -> None:
    """A daemon may have been reloaded with the changed file too."""
    pg = "/etc/postgresql/*/main"
    victim.exec("postconf 'smtpd_banner = harmed'; postfix reload")
    victim.exec("echo 'login_greeting = harmed' >> /etc/dovecot/dovecot.conf; doveadm reload")
    victim.exec(f"sh -c 'echo max_connections = 50 >> $1' sh {pg}/conf.d/mailstack.conf")
    trust = "local all all trust\\nhost all all 127.0.0.1/32 trust\\n"
    victim.exec(f"sh -c 'printf \"{trust}\" > $1' sh {pg}/pg_hba.conf")
    victim.exec("systemctl restart 'postgresql@*'")
    stranger = "psql -h 127.0.0.1 -U postgres -d mail -XAtc 'SHOW max_connections'"
    wait_for_greetings(victim, "harmed", "harmed")
    assert victim.exec(stranger).stdout == "50\n"
    deploys.run(victim, DATA)
    wait_for_greetings(victim, f"{sample_accounts.HOSTNAME} ESMTP", "Dovecot ready.")
    assert victim.exec(stranger, check=False).returncode != 0
    local = "cd /; runuser -u postgres -- psql -XAtc 'SHOW max_connections'"
    assert victim.exec(local).stdout == "100\n"
    deploys.assert_mail_flows_again(victim)


def wait_for_greetings(victim: Target, *wanted: str) -> None:
    """Wait until Postfix and Dovecot greet so: a process of before a reload may still greet a client."""

    def greet() -> bool:
        with smtplib.SMTP(timeout=clients.TIMEOUT) as session:
            postfix_says = session.connect(victim.ip, 25)[1].decode()
        with suppress(imaplib.IMAP4.error), clients.imap(victim, sample_accounts.ALICE, 143) as mailbox:
            dovecot_says = mailbox.welcome.decode().partition("] ")[2].replace("(Debian) ", "")
            return (postfix_says, dovecot_says) == wanted
        return False

    clients.eventually(greet, f"they do not greet {wanted}")


def test_in_the_end_nothing_differs(victim: Target) -> None:
    deploys.assert_converged(victim, DATA)
    deploys.assert_mail_flows(victim)


def assert_healed(victim: Target, lines: list[str]) -> None:
    """Assert that one run prints `lines`, writes these files, and reloads daemons; nothing else."""
    run = deploys.run(victim, DATA)
    said, changed = deploys.said(run), deploys.changed(run)
    assert [line for line in said if line.startswith("/")] == lines
    of_database = [line for line in said if "postgresql" in line]
    units = [line for line in said if not line.startswith("/") and line not in of_database]
    rest = [line for line in said if line.startswith("/") and line not in of_database]
    expected = [(DATABASE, of_database), (WRITE, rest), (SERVICES, units)]
    assert changed == [name for name, because in expected if because]
