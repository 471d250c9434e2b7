"""A database with a standby, and a mail host that asks both."""

from __future__ import annotations

import imaplib
import os
import smtplib
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, logins, sample_accounts
from tests.support.sample_accounts import ALICE, PASSWORDS
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun, pyinfra
from tests.targets.shell import docker

#: It takes minutes, and is the same on either release; the environment names the other one.
DEBIAN = int(os.environ.get("MAILSTACK_CLUSTER_DEBIAN", "13"))

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.parametrize("debian", [DEBIAN], ids=[f"debian{DEBIAN}"], indirect=True, scope="session"),
]

SECRETS = "/var/lib/mailstack/secrets"


class Hosts:
    """One mail server: two hosts with the database, and a mail host."""

    def __init__(self, factory: Factory, image: str, directory: Path) -> None:
        self.one, self.two = (factory(f"db{i}", image=image, hostname=f"db{i}.example.org") for i in (1, 2))
        self.mail = factory("mail", image=image)
        self._inventory = directory / "inventory.py"
        self._inventory.touch(mode=0o600)

    def run(self, *what: str, primary: Target | None = None) -> PyinfraRun:
        """Run pyinfra; `primary` is what `mail_db_primary` names."""
        more = {"mail_db_primary": f"@docker/{primary.name}"} if primary else {}
        one, two, mail = (
            [(f"@docker/{host.name}", sample_accounts.data(mail_address=host.ip, **more))]
            for host in (self.one, self.two, self.mail)
        )
        groups = {"db": [*one, *two], "mx": mail, "imap": mail}
        self._inventory.write_text("".join(f"{group} = {hosts!r}\n" for group, hosts in groups.items()))
        return pyinfra(self._inventory, "-y", "--json", *what)

    def deploy(self, primary: Target | None = None) -> list[str]:
        """Run the deploy, which must not fail, and return what it changed."""
        done = self.run("deploy.py", primary=primary).check()
        assert done.json["results"]["totals"]["error"] == 0
        return done.changed


@pytest.fixture(scope="module")
def hosts(module_factory: Factory, installed: str, tmp_path_factory: pytest.TempPathFactory) -> Hosts:
    return Hosts(module_factory, installed, tmp_path_factory.mktemp("cluster"))


@contextmanager
def switched_off(host: Target) -> Iterator[None]:
    """Take a host off the network, which ends no connection."""
    address = host.ip
    docker("network", "disconnect", "--force", host.network.name, host.name)
    try:
        yield
    finally:
        docker("network", "connect", "--ip", address, host.network.name, host.name)


def state(host: Target) -> str:
    """Return what systemd says of PostgreSQL."""
    return host.exec("systemctl is-active 'postgresql@*-main.service'", check=False).stdout.strip()


def test_a_standby_follows_the_primary(hosts: Hosts) -> None:
    hosts.deploy()
    assert hosts.deploy() == []
    one, two = hosts.one, hosts.two
    assert clients.sql(two, "SELECT pg_is_in_recovery()") == "t"
    # over TLS, with a certificate of the CA; any of the two may be promoted
    receiver = clients.sql(two, "SELECT status, conninfo FROM pg_stat_wal_receiver")
    assert receiver.startswith("streaming|") and "sslmode=verify-full" in receiver
    assert clients.sql(one, "SELECT ssl FROM pg_stat_ssl JOIN pg_stat_replication USING (pid)") == "t"
    for name in ("db-owner-password", "db-lookup-password", "db-replication-password", "db-ca"):
        assert one.read(f"{SECRETS}/{name}").strip() == two.read(f"{SECRETS}/{name}").strip()
    hosts.run("mailstack.accounts.domain", "new.example").check()
    assert has_domain(two, "new.example"), "a command waits for the standbys"
    deploys.assert_mail_flows(hosts.mail)


def has_domain(host: Target, name: str) -> bool:
    """Return whether the host's database has this domain."""
    return clients.sql(host, f"SELECT count(*) FROM mail_domain WHERE domain_name = '{name}'") == "1"


def test_a_copy_that_was_cut_off_is_put_in_place_or_made_again(hosts: Hosts) -> None:
    data = hosts.two.exec("cd /var/lib/postgresql/*/main && pwd").stdout.strip()
    stop = f"systemctl stop 'postgresql@*-main.service'; cd /; D={data}"
    # killed before the last rename: what was copied is used
    hosts.two.exec(f"{stop}; mv $D $D.mailstack-new; echo kept > $D.mailstack-new/mark")
    assert hosts.deploy() != []
    assert hosts.two.exec(f"cat {data}/mark").stdout == "kept\n"
    # killed while it copied: the server is empty as before, and the part is thrown away
    version = data.split("/")[-2]
    hosts.two.exec(
        f"{stop}; rm -rf $D; mkdir $D.mailstack-new; echo > $D.mailstack-new/part; runuser -u postgres -- "
        f"/usr/lib/postgresql/{version}/bin/initdb -D $D"
    )
    assert hosts.deploy() != []
    assert hosts.deploy() == []
    clients.eventually(lambda: has_domain(hosts.two, "new.example"), "not copied")
    assert hosts.two.exec(f"ls {data}* -d").stdout.split() == [data]


def logs_in(mail: Target) -> bool:
    """Return whether logins work; for a moment one may be refused or cut off, and clients try again."""
    try:
        logins.imap(mail, ALICE, PASSWORDS[ALICE])
        with clients.smtp(mail, 587, ALICE):
            pass
    except (imaplib.IMAP4.error, smtplib.SMTPException, OSError):
        return False
    return True


def test_mail_and_logins_go_on_without_the_primary(hosts: Hosts) -> None:
    mail = hosts.mail
    logins.imap(mail, ALICE, PASSWORDS[ALICE])
    with switched_off(hosts.one):
        taken = []
        for _ in range(4):
            began = time.monotonic()
            # 451 if a process has found the standby away a moment ago, too
            clients.eventually(lambda: clients.replies(mail, ALICE) == 250, "no mail", 30)
            taken.append(time.monotonic() - began)
        began = time.monotonic()
        clients.eventually(lambda: logs_in(mail), "no login", 30)
        taken.append(time.monotonic() - began)
        print("seconds:", taken)
        assert max(taken) < 20
        deploys.assert_mail_flows(mail)
    said = mail.exec("journalctl -q -o cat").stdout
    assert hosts.one.read(f"{SECRETS}/db-lookup-password").decode().strip() not in said


def test_a_former_primary_is_no_second_one(hosts: Hosts) -> None:
    one, two = hosts.one, hosts.two
    clients.eventually(lambda: clients.sql(one, "SELECT count(*) FROM pg_stat_replication") == "1", "alone")
    with switched_off(one):
        hosts.run("--limit", f"@docker/{two.name}", "mailstack.db.promote", f"@docker/{two.name}").check()
        clients.sql(two, "INSERT INTO mail_domain (domain_name) VALUES ('later.example')")
        clients.sql(one, "INSERT INTO mail_domain (domain_name) VALUES ('lost.example')")
    clients.eventually(lambda: state(one) != "active", "two primaries", timeout=40)
    one.exec('systemctl start "postgresql@$(ls /etc/postgresql)-main"', check=False)
    assert state(one) != "active"
    refused = hosts.run("deploy.py", primary=two)
    assert refused.returncode == 1
    assert "has data and is no standby" in refused.stderr and "mailstack.db.rejoin" in refused.stderr
    hosts.run("mailstack.db.rejoin", f"@docker/{one.name}", primary=two).check()
    hosts.deploy(primary=two)
    assert hosts.deploy(primary=two) == []
    clients.eventually(lambda: has_domain(one, "later.example"), "not copied")
    assert not has_domain(one, "lost.example")


def test_a_primary_that_is_reached_loses_nothing(hosts: Hosts) -> None:
    one, two = hosts.one, hosts.two
    clients.sql(two, "INSERT INTO mail_domain (domain_name) VALUES ('last.example')")
    hosts.run("mailstack.db.promote", f"@docker/{one.name}", primary=two).check()
    assert state(two) != "active" and has_domain(one, "last.example")
    wrong = hosts.run("deploy.py", primary=two)
    assert wrong.returncode == 1 and "allowed: the host with the primary" in wrong.stderr
    hosts.deploy(primary=one)
    shown = hosts.run("mailstack.db.status", primary=one).check().stdout
    assert [line.split()[1] for line in shown.split("\n") if line.startswith("@docker/")] in (
        ["primary", "standby"],
        ["standby", "primary"],
    )
    deploys.assert_mail_flows(hosts.mail)
