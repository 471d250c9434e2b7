"""Mailboxes on two hosts, behind one that receives mail, takes logins and has the database."""

from __future__ import annotations

import imaplib
import json
import os
import re
import socket
from collections.abc import Iterator, Mapping
from email.message import EmailMessage
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from mailstack.on_host.verify.dkim import checked
from tests.integration.conftest import Factory
from tests.support import clients, dns, managesieve, numbered_traffic, sample_accounts, trust
from tests.support.sample_accounts import ALICE, BOB, CAROL, PASSWORDS
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun, pyinfra
from tests.targets.shell import docker

#: It takes minutes, and is the same on either release; the environment names the other one.
DEBIAN = int(os.environ.get("MAILSTACK_CLUSTER_DEBIAN", "13"))

pytestmark = [
    pytest.mark.postgresql,
    pytest.mark.parametrize("debian", [DEBIAN], ids=[f"debian{DEBIAN}"], indirect=True, scope="session"),
]


class Hosts(NamedTuple):
    """The hosts: Alice's mailbox is on the first, which receives mail too, and Bob's on the second."""

    front: Target
    first: Target
    second: Target
    inventory: Path

    def lay_out(self, backends: Mapping[str, Target], **receiving: Any) -> None:
        """Write the inventory, with the hosts of new users, and settings of the two that receive mail."""
        users = [
            {**user, "backend": f"@docker/{backends[user['email']].name}"}
            if user["email"] in backends
            else user
            for user in sample_accounts.USERS
        ]

        def host(target: Target, **more: Any) -> tuple[str, dict[str, Any]]:
            data = sample_accounts.data(mail_address=target.ip, mail_firewall=True, mail_pop3=True, **more)
            return f"@docker/{target.name}", data

        front, first, second = (
            host(self.front, mail_users=users, **receiving),
            host(self.first, **receiving),
            host(self.second),
        )
        groups = {
            "db": [front],
            "proxy": [front[0]],
            "mx": [front[0], first[0]],
            "imap": [first, second],
        }
        self.inventory.touch(mode=0o600)
        self.inventory.write_text("".join(f"{name} = {members!r}\n" for name, members in groups.items()))

    def run(self, *args: str) -> PyinfraRun:
        """Run pyinfra with all of them."""
        return pyinfra(self.inventory, "-y", "--json", *args, timeout=900).check()


@pytest.fixture(scope="module")
def hosts(
    module_factory: Factory, installed: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hosts]:
    """Yield deployed hosts."""
    front, first, second = (module_factory(name, image=installed) for name in ("front", "first", "second"))
    made = Hosts(front, first, second, tmp_path_factory.mktemp("hosts") / "inventory.py")
    made.lay_out({ALICE: first, BOB: second})
    made.run("deploy.py")
    yield made


def test_a_second_run_changes_nothing(hosts: Hosts) -> None:
    assert hosts.run("deploy.py").changed == []


def test_mail_and_logins_reach_the_host_with_the_mailbox(hosts: Hosts) -> None:
    for user, owner, other in ((ALICE, hosts.first, hosts.second), (BOB, hosts.second, hosts.first)):
        mail = clients.message(sample_accounts.STRANGER, user)
        clients.send(hosts.front, mail)
        own = clients.message(user, user)
        clients.send(hosts.front, own, sender=user, port=587, user=user)
        with clients.imap(hosts.front, user) as session:
            ours = session.socket().getsockname()[0]
            for each in (mail, own):
                assert clients.wait_for_mail(session, str(each["Message-ID"]))
        folder = clients.sql(hosts.front, f"SELECT mail_directory FROM mail_users WHERE email = '{user}'")
        assert owner.exec(f"ls /var/vmail/{folder}/sdbox").returncode == 0
        for host in (hosts.front, other):
            assert host.exec(f"ls -d /var/vmail/{folder}", check=False).stdout == ""
        with managesieve.connected(hosts.front) as sieve:
            assert sieve.login(user, PASSWORDS[user]).status == "OK"
            assert sieve.put("mine", "keep;").status == "OK"
        assert owner.exec(f"ls /var/vmail/{folder}/sieve/mine.sieve").returncode == 0
        # once, with the address of the client
        logged = clients.log(owner, f"imap-login: Log(in|ged in): user=<{user}>")
        assert logged and all(f"rip={ours}," in line for line in logged)


def test_passwords_are_checked_where_the_mailbox_is(hosts: Hosts) -> None:
    for user in (BOB, "nobody@example.org"):
        with (
            pytest.raises(imaplib.IMAP4.error, match="AUTHENTICATIONFAILED"),
            clients.imap(hosts.front, user, password="wrong"),
        ):
            pass
    clients.eventually(lambda: clients.log(hosts.second, f"auth failed.*user=<{BOB}>"), "it is not asked")
    assert not clients.log(hosts.second, "nobody@example.org")


def test_mail_of_users_who_live_on_a_host_is_not_deleted_with_it(hosts: Hosts) -> None:
    limit = ("--limit", f"@docker/{hosts.second.name}")
    run = pyinfra(hosts.inventory, "-y", *limit, "mailstack.remove", "component=all", "data=delete")
    assert run.returncode and re.search(r"users with their mail here: [1-9]\d*, such as \S+@", run.stderr)
    assert hosts.second.exec("systemctl is-active dovecot postfix && ls -d /var/vmail").returncode == 0


def test_strangers_do_not_reach_lmtp(hosts: Hosts) -> None:
    for host in (hosts.first, hosts.second):
        assert host.exec("ss -tlnH sport = :24").stdout
        with pytest.raises(OSError):
            socket.create_connection((host.ip, 24), timeout=3)
        socket.create_connection((host.ip, 993), timeout=clients.TIMEOUT).close()
    assert not hosts.front.exec("ss -tlnH sport = :24").stdout


def test_mail_of_a_user_on_an_unknown_host_waits(hosts: Hosts) -> None:
    clients.sql(hosts.front, f"UPDATE mail_users SET backend = 'gone' WHERE email = '{CAROL}'")
    mail = clients.message(sample_accounts.STRANGER, CAROL)
    clients.send(hosts.front, mail)
    clients.eventually(lambda: "451 4.4.0" in "".join(clients.queue(hosts.front)), "it does not wait")
    clients.sql(hosts.front, f"UPDATE mail_users SET backend = NULL WHERE email = '{CAROL}'")
    tried_until_it_comes(hosts, hosts.first, CAROL, mail)


def test_a_backend_that_is_away_defers_its_users_alone(hosts: Hosts) -> None:
    docker("pause", hosts.second.name)
    try:
        waiting = clients.message(sample_accounts.STRANGER, BOB)
        clients.send(hosts.front, waiting)
        mail = clients.message(sample_accounts.STRANGER, ALICE)
        clients.send(hosts.front, mail)
        assert clients.received(hosts.front, ALICE, str(mail["Message-ID"]))
        with pytest.raises((imaplib.IMAP4.error, OSError)), clients.imap(hosts.front, BOB):
            pass
    finally:
        docker("unpause", hosts.second.name)
    tried_until_it_comes(hosts, hosts.front, BOB, waiting)


def tried_until_it_comes(hosts: Hosts, host: Target, user: str, mail: EmailMessage) -> None:
    """Wait for mail that was deferred; an attempt of before a flush may just fail."""
    with clients.imap(host, user) as session:

        def arrived() -> list[bytes]:
            hosts.front.exec("postqueue -f")
            return clients.find(session, str(mail["Message-ID"]))

        clients.eventually(arrived, "it does not come")


def test_mail_moves_while_it_arrives(hosts: Hosts) -> None:
    """Without a loss; UIDs, flags and scripts stay. If the other host is away, the user stays too."""
    first, second = (f"@docker/{host.name}" for host in (hosts.first, hosts.second))

    def where() -> str:
        return clients.sql(hosts.front, f"SELECT backend FROM mail_users WHERE email = '{ALICE}'")

    def kept() -> list[object]:
        with clients.imap(hosts.front, ALICE) as session:
            session.select("Kept")
            return [session.response("UIDVALIDITY"), session.fetch("1:*", "(UID FLAGS)")]

    mail = clients.message(sample_accounts.STRANGER, ALICE)
    clients.send(hosts.front, mail)
    with clients.imap(hosts.front, ALICE) as session:
        assert clients.wait_for_mail(session, str(mail["Message-ID"]))
        session.create("Kept")
        session.subscribe("Kept")
        for _ in range(2):
            session.copy("1", "Kept")
        session.select("Kept")
        session.store("1", "+FLAGS", r"(\Deleted)")
        session.expunge()
        session.store("1", "+FLAGS", r"(\Flagged mine)")
    before = kept()
    assert "UID 2 FLAGS" in str(before) and "mine" in str(before)
    clients.sql(hosts.front, f"UPDATE mail_users SET backend = '{first}>>{second}' WHERE email = '{ALICE}'")
    with pytest.raises(imaplib.IMAP4.error, match="UNAVAILABLE"), clients.imap(hosts.front, ALICE):
        pass  # as a run that was killed has left it

    hosts.run("mailstack.accounts.move", ALICE, second)
    assert (where(), kept()) == (second, before)
    with numbered_traffic.watch(hosts.front):
        hosts.run("mailstack.accounts.move", ALICE, first)
        hosts.run("mailstack.accounts.move", ALICE, second)
    assert (where(), kept()) == (second, before)
    assert hosts.run("mailstack.accounts.move", ALICE, second).changed == []
    with managesieve.connected(hosts.front) as sieve:
        assert sieve.login(ALICE, PASSWORDS[ALICE]).status == "OK"
        assert '"mine"' in sieve.command("LISTSCRIPTS").lines

    hosts.first.exec("systemctl stop dovecot")
    run = pyinfra(hosts.inventory, "-y", "mailstack.accounts.move", ALICE, first)
    hosts.first.exec("systemctl start dovecot")
    assert run.returncode == 1 and "Connection refused" in run.stderr
    assert (where(), kept()) == (second, before)


def test_mail_hosts_sign_and_forward_alike(hosts: Hosts, tmp_path: Path) -> None:
    """What one signs passes with the zone that the other prints; a bounce comes in by either."""
    strangers = [hosts.front.network.subnet]  # without a DNS, the filter knows nothing of them
    hosts.lay_out({}, mail_rspamd=True, mail_srs=True, mail_spam_allowed_networks=strangers)
    hosts.run("deploy.py")
    for host in (hosts.front, hosts.first):
        dns.keys(host, "example.org")
    assert hosts.run("deploy.py").changed == []
    shown = pyinfra(hosts.inventory, "-y", "mailstack.dns.zone", "example.org", "format=json").check().stdout
    zones = {each["host"]: each["zones"] for each in map(json.loads, shown.splitlines())}
    zone, other = (zones[f"@docker/{host.name}"] for host in (hosts.first, hosts.front))
    assert zone == other
    keys = [record for record in zone["example.org"] if record["name"].endswith("._domainkey.example.org")]
    assert len(keys) == 4
    (tmp_path / "example.org").mkdir()
    for key in keys:
        selector = key["name"].partition(".")[0]
        (tmp_path / "example.org" / f"{selector}.txt").write_text(key["data"])
    signed = [_sent(host) for host in (hosts.front, hosts.first)]
    selectors = {each for message in signed for each in trust.signers(message)}
    assert len(selectors) == 4, "each host has two of its own"
    for message in signed:
        assert checked(message, "example.org", str(tmp_path)).endswith(" of example.org")

    author = sample_accounts.STRANGER
    path = hosts.front.exec(["postmap", "-q", author, "tcp:127.0.0.1:10001"]).stdout.strip()
    assert path.startswith("SRS0=")
    forged = f"SRS0=abcd={path.split('=', 2)[2]}"
    assert clients.replies(hosts.first, forged, sender="") == 550
    bounce = clients.message("mailer-daemon@elsewhere.example", path, "Undeliverable")
    clients.send(hosts.first, bounce, sender="")
    sent_back = f"to=<{author}>, orig_to=<SRS0="
    clients.eventually(lambda: clients.log(hosts.first, sent_back), "it does not go back", 60)


def test_users_without_a_name_of_a_host_do_not_change_hosts(hosts: Hosts) -> None:
    clients.sql(hosts.front, f"UPDATE mail_users SET backend = NULL WHERE email = '{CAROL}'")
    hosts._replace(first=hosts.second, second=hosts.first).lay_out({})
    refused = pyinfra(hosts.inventory, "-y", "deploy.py")
    hosts.lay_out({})
    assert refused.returncode == 1
    assert f"imap: its first host is @docker/{hosts.second.name} now, and was" in refused.stderr
    assert clients.sql(hosts.front, "SELECT count(*) FROM mail_users WHERE backend IS NULL") == "1"


def _sent(host: Target) -> bytes:
    """Return a message of Alice to Bob, submitted to this host."""
    message_id = clients.send(host, trust.letter(ALICE, BOB), sender=ALICE, port=587, user=ALICE)
    return clients.received(host, BOB, message_id, timeout=60)
