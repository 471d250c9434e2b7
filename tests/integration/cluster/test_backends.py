"""Mailboxes on two hosts, behind one that receives mail, takes logins and has the database."""

from __future__ import annotations

import imaplib
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, managesieve, numbered_traffic, sample_accounts
from tests.support.sample_accounts import ALICE, BOB, CAROL, PASSWORDS
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun, pyinfra
from tests.targets.shell import docker

pytestmark = [
    pytest.mark.postgresql,
    # it takes minutes, and the layout is the same on either release
    pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True, scope="session"),
]


class Hosts(NamedTuple):
    """The hosts: Alice's mailbox is on the first, Bob's on the second."""

    front: Target
    first: Target
    second: Target
    inventory: Path

    def run(self, *args: str) -> PyinfraRun:
        """Run pyinfra with all of them."""
        return pyinfra(self.inventory, "-y", "--json", *args, timeout=900).check()


@pytest.fixture(scope="module")
def hosts(
    module_factory: Factory, installed: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Hosts]:
    """Yield deployed hosts."""
    front, first, second = (module_factory(name, image=installed) for name in ("front", "first", "second"))
    backends = {ALICE: first, BOB: second}
    users = [
        {**user, "backend": f"@docker/{backends[user['email']].name}"} if user["email"] in backends else user
        for user in sample_accounts.USERS
    ]

    def host(target: Target, **more: Any) -> tuple[str, dict[str, Any]]:
        data = sample_accounts.data(mail_address=target.ip, mail_firewall=True, mail_pop3=True, **more)
        return f"@docker/{target.name}", data

    inventory = tmp_path_factory.mktemp("hosts") / "inventory.py"
    inventory.touch(mode=0o600)
    inventory.write_text(
        f"db = [{host(front, mail_users=users)!r}]\n"
        f"mx = proxy = ['@docker/{front.name}']\n"
        f"imap = [{host(first)!r}, {host(second)!r}]\n"
    )
    made = Hosts(front, first, second, inventory)
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
    assert clients.log(hosts.second, f"auth failed.*user=<{BOB}>")
    assert not clients.log(hosts.second, "nobody@example.org")


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
    hosts.front.exec("postqueue -f")
    assert clients.received(hosts.first, CAROL, str(mail["Message-ID"]))


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
    hosts.front.exec("postqueue -f")
    assert clients.received(hosts.front, BOB, str(waiting["Message-ID"]), timeout=60)


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
