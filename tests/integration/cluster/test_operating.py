"""Two hosts that receive mail and have mailboxes: one after the other, and one that is taken out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, STRANGER
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun, pyinfra
from tests.targets.shell import ROOT

#: It takes minutes, and is the same on either release; the environment names the other one.
DEBIAN = int(os.environ.get("MAILSTACK_CLUSTER_DEBIAN", "13"))

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.parametrize("debian", [DEBIAN], ids=[f"debian{DEBIAN}"], indirect=True, scope="session"),
]

LIMIT = 12_345_678


class Hosts:
    """Two hosts with all of it; the first has the database, and Bob's mailbox is on the second."""

    def __init__(self, clone: Factory, directory: Path) -> None:
        self.one, self.two = (clone(name) for name in ("one", "two"))
        self.inventory = directory / "inventory.py"
        self.inventory.touch(mode=0o600)

    def write(self, **more: Any) -> None:
        """Write the inventory with these settings."""
        first = f"@docker/{self.one.name}"
        users = [
            {**user, "backend": first} if user["email"] == ALICE else user for user in sample_accounts.USERS
        ]
        hosts = [
            (f"@docker/{host.name}", sample_accounts.data(mail_address=host.ip, mail_firewall=True, **given))
            for host, given in (
                (self.one, {**more, "mail_users": users}),
                (self.two, {**more, "mail_backend_weight": 0}),
            )
        ]
        self.inventory.write_text(f"mx = imap = {hosts!r}\ndb = [{first!r}]\n")

    def run(self, *args: str) -> PyinfraRun:
        """Run pyinfra with both of them."""
        return pyinfra(self.inventory, "-y", "--json", *args, timeout=900)

    def in_turn(self) -> subprocess.CompletedProcess[str]:
        """Deploy them one after the other."""
        program = str(Path(sys.executable).with_name("mailstack"))
        argv = [program, "deploy", "-y", "--json", "--serial", "--inventory", str(self.inventory)]
        return subprocess.run(argv, capture_output=True, text=True, timeout=900, cwd=ROOT)


@pytest.fixture(scope="module")
def hosts(module_clone: Factory, tmp_path_factory: pytest.TempPathFactory) -> Hosts:
    """Return deployed hosts, made from a server that had all for itself."""
    made = Hosts(module_clone, tmp_path_factory.mktemp("operating"))
    # the database of the second is not needed: see docs/troubleshooting.md
    made.two.exec("rm /etc/postgresql/*/main/conf.d/mailstack.conf")
    made.write()
    made.run("deploy.py").check()
    clients.sql(made.one, f"UPDATE mail_users SET backend = '@docker/{made.two.name}' WHERE email = '{BOB}'")
    return made


def limit(host: Target) -> str:
    """Return the largest message that Postfix takes."""
    return host.exec(["postconf", "-h", "message_size_limit"]).stdout.strip()


def test_a_host_that_does_not_verify_ends_a_deploy(hosts: Hosts) -> None:
    key = "/etc/ssl/mailstack/other.pem"
    hosts.write(mail_verify=True, mail_message_size_limit=LIMIT)
    before = limit(hosts.two)
    hosts.one.exec(f"echo '-----BEGIN PRIVATE KEY-----' > {key}; chmod 644 {key}")
    done = hosts.in_turn()
    assert done.returncode == 1 and f"others can read {key}" in done.stderr
    assert (limit(hosts.one), limit(hosts.two)) == (str(LIMIT), before)
    hosts.one.exec(f"rm {key}")
    done = hosts.in_turn()
    assert done.returncode == 0, done.stderr
    assert limit(hosts.two) == str(LIMIT)


def queue(host: Target) -> list[dict[str, Any]]:
    """Return the messages in the queue, as postqueue(1) has them."""
    return [json.loads(line) for line in host.exec(["postqueue", "-j"]).stdout.split("\n")[:-1]]


def states(host: Target) -> list[str]:
    """Return the directories of the queue in which messages are."""
    return sorted(message["queue_name"] for message in queue(host))


def submit(host: Target, user: str) -> str:
    """Send a message as a user of a host whose Postfix is stopped, and return its Message-ID."""
    mail = clients.message(STRANGER, user)
    host.exec(["sendmail", "-f", STRANGER, user], input=mail.as_string())
    return str(mail["Message-ID"])


def copies(host: Target, user: str, message_ids: list[str]) -> list[int]:
    """Return how often each message is in the INBOX of a user."""
    with clients.imap(host, user) as session:
        session.select("INBOX", readonly=True)
        found = [session.search(None, "HEADER", "Message-ID", f'"{each}"')[1] for each in message_ids]
    return [len(numbers[0].split()) for numbers in found]


def test_the_mail_of_a_dead_host_is_delivered_once(hosts: Hosts) -> None:
    """First from a copy of its disk, then from the host itself, which has come back."""
    one, two = hosts.one, hosts.two
    first, second = (f"@docker/{host.name}" for host in (one, two))
    for host in (one, two):
        host.exec("systemctl stop dovecot mailstack-flush")
    ids = [clients.send(two, clients.message(STRANGER, ALICE)) for _ in range(3)]
    clients.send(two, clients.message(STRANGER, BOB))
    clients.eventually(lambda: states(two) == ["deferred"] * 4, "not deferred", 90)
    waiting = {each["recipients"][0]["address"]: each["queue_id"] for each in queue(two)}
    held, expired = waiting[ALICE], waiting[BOB]
    two.exec(f"postsuper -h {held} && postsuper -h {expired} && postsuper -e {expired}")
    two.exec("systemctl stop postfix")
    ids.append(submit(two, ALICE))
    two.exec("tar -C /var/spool -cf /root/spool.tar postfix")
    one.write("/root/spool.tar", two.read("/root/spool.tar"))
    one.exec("mkdir /root/copy && tar -C /root/copy -xpf /root/spool.tar")

    said = hosts.run("mailstack.queue.rescue", "/root/copy/postfix", first).check().stderr
    assert "moved: 5 messages, 2 of them on hold" in said
    assert states(one).count("hold") == 2
    (lost,) = [each["queue_id"] for each in queue(one) if each["forced_expire"]]
    one.exec(["postsuper", "-d", lost])
    said = hosts.run("mailstack.queue.rescue", second, first).check().stderr
    assert "moved: 0 messages" in said and "moved by an earlier run: 5 messages" in said
    assert two.exec("find /var/spool/postfix -path '*mailstack-rescue*'").stdout == ""
    two.exec("systemctl start dovecot postfix")
    one.exec("systemctl start dovecot; postsuper -H ALL; postqueue -f")
    for each in ids:
        assert clients.received(one, ALICE, each, timeout=90)
    for host in (one, two):
        clients.wait_for_empty_queue(host, 90)
    assert copies(one, ALICE, ids) == [1] * len(ids)


def test_a_drained_host_has_neither_users_nor_mail(hosts: Hosts) -> None:
    one, two = hosts.one, hosts.two
    first, second = (f"@docker/{host.name}" for host in (one, two))
    ids = [clients.send(two, clients.message(STRANGER, BOB))]
    assert clients.received(one, BOB, ids[0], timeout=90)
    two.exec("systemctl stop postfix")
    ids.append(submit(two, BOB))
    run = hosts.run("mailstack.drain", second).check()
    assert f"{second} has no users and no queue" in run.stderr
    stored = "SELECT email, backend FROM mail_users WHERE backend IS NOT NULL ORDER BY 1"
    assert clients.sql(one, stored) == f"{ALICE}|{first}\n{BOB}|{first}"
    assert two.exec("systemctl is-active postfix", check=False).stdout.strip() == "inactive"
    assert clients.received(one, BOB, ids[1], timeout=90)
    assert copies(one, BOB, ids) == [1, 1]
    refused = hosts.run("mailstack.drain", first)
    assert refused.returncode and "has the database; allowed: first mailstack.db.promote" in refused.stderr
