"""Files on disk belong to a user, and not to its address."""

from __future__ import annotations

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.managesieve import install
from tests.support.sample_accounts import ALICE, STRANGER
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun

pytestmark = pytest.mark.both_engines_everywhere

PASSWORD = sample_accounts.PASSWORDS[ALICE]
USER = "leaves@example.org"
DECLARED = [*sample_accounts.USERS, {"email": USER, "initial_password": PASSWORD}]


@pytest.fixture(scope="module")
def host(module_clone: Factory) -> Target:
    """Return a copy of the standard server."""
    return module_clone("former")


def call(host: Target, *args: str) -> PyinfraRun:
    """Run `pyinfra -y INVENTORY mailstack.accounts.OPERATION ARGS`."""
    command = ("-y", "--json", f"mailstack.accounts.{args[0]}", *args[1:])
    return host.pyinfra(*command, data=sample_accounts.data(), env={"PW": PASSWORD}).check()


def insert(host: Target, user: str) -> None:
    """Make a user with the password of alice, by SQL alone."""
    columns = "INSERT INTO mail_users (email, password)"
    clients.sql(host, f"{columns} SELECT '{user}', password FROM mail_users WHERE email = '{ALICE}'")


def used(host: Target, user: str) -> str:
    """Have a user receive mail, make a folder and activate a script that keeps nothing; return the home."""
    letter = clients.send(host, clients.message(STRANGER, user, subject="secret"))
    clients.received(host, user, letter, PASSWORD)
    with clients.imap(host, user, password=PASSWORD) as session:
        session.create("Private")
        session.subscribe("Private")
    install(host, user, "discard;")
    return clients.home(host, user)


def assert_new(host: Target, user: str, *former: str) -> None:
    """Assert that a user has no mail and no former home, and that mail arrives despite former scripts."""
    assert clients.home(host, user) not in former
    with clients.imap(host, user, password=PASSWORD) as session:
        assert session.select("INBOX")[1] == [b"0"]
        assert "Private" not in str(session.list()[1]) + str(session.lsub()[1])
    letter = clients.send(host, clients.message(STRANGER, user))
    assert clients.received(host, user, letter, PASSWORD)
    for home in former:
        assert host.exec(f"grep -rl 'Subject: secret' {home}; ls {home}/.dovecot.sieve").stdout


def test_a_new_user_gets_nothing_of_a_former_user_of_its_address(host: Target) -> None:
    call(host, "user", USER, "password_from=env:PW")
    first = used(host, USER)
    run = call(host, "user", USER, "present=false")
    assert f"- user {USER}: the mail stays in {first}" in run.stderr
    run = call(host, "user", USER, "password_from=env:PW")
    assert f"+ user {USER}: gets nothing of the former user's mail in {first}" in run.stderr
    assert_new(host, USER, first)

    second = used(host, USER)
    clients.sql(host, f"DELETE FROM mail_users WHERE email = '{USER}'")
    insert(host, USER)
    assert_new(host, USER, first, second)

    third = used(host, USER)
    only = {"mail_accounts_policy": "authoritative"}
    run = deploys.run(host, sample_accounts.data(**only))
    assert f"- user {USER}: the mail stays in {third}" in run.stderr
    run = deploys.run(host, sample_accounts.data(mail_users=DECLARED, **only))
    for home in (first, second, third):
        assert home in run.stderr
    assert_new(host, USER, first, second, third)
    deploys.assert_converged(host, sample_accounts.data(mail_users=DECLARED, **only))
    directories = clients.sql(host, f"SELECT directory FROM mail_former_users WHERE email = '{USER}'")
    assert sorted(f"/var/vmail/{line}" for line in directories.splitlines()) == sorted((first, second, third))
    clients.sql(host, f"DELETE FROM mail_users WHERE email = '{USER}'")
    assert USER in clients.sql(host, "SELECT email FROM mail_former_addresses")


def test_a_renamed_user_keeps_its_mail(host: Target) -> None:
    insert(host, "miss@example.org")
    alias = "INSERT INTO mail_alias (source_email, destination_email) VALUES"
    clients.sql(host, f"{alias} ('press@example.org', 'miss@example.org')")
    home = used(host, "miss@example.org")
    run = call(host, "rename", "Miss@example.org", "mrs@example.com")
    assert "~ user miss@example.org: is now mrs@example.com" in run.stderr
    assert call(host, "rename", "miss@example.org", "mrs@example.com").changed == []
    clients.sql(host, "UPDATE mail_users SET email = 'madam@example.com' WHERE email = 'mrs@example.com'")
    clients.sql(
        host,
        "UPDATE mail_alias SET destination_email = 'madam@example.com'"
        " WHERE destination_email = 'mrs@example.com'",
    )
    assert clients.home(host, "madam@example.com") == home
    with clients.imap(host, "madam@example.com", password=PASSWORD) as session:
        assert session.select("INBOX")[1] == [b"1"] and session.select("Private")[0] == "OK"
    assert clients.replies(host, "press@example.org") == 250
    former = clients.sql(host, "SELECT email FROM mail_former_addresses").splitlines()
    assert {"miss@example.org", "mrs@example.com"} <= set(former)
    insert(host, "miss@example.org")
    assert_new(host, "miss@example.org", home)
    refused = host.pyinfra(
        "-y", "mailstack.accounts.rename", "miss@example.org", ALICE, data=sample_accounts.data()
    )
    assert refused.returncode != 0 and f"there is a user {ALICE} already" in refused.stderr


def test_users_from_before_keep_their_homes(host: Target) -> None:
    """Before this column existed, the home was derived from the address."""
    old = "/var/vmail/example.org/alice"
    letter = clients.send(host, clients.message(STRANGER, ALICE))
    clients.received(host, ALICE, letter)
    host.exec(f"mv {clients.home(host, ALICE)} {old}")
    clients.sql(host, "ALTER TABLE mail_users DROP COLUMN mail_directory")
    deploys.run(host, sample_accounts.data())
    deploys.assert_converged(host, sample_accounts.data())
    assert clients.home(host, ALICE) == old
    assert clients.received(host, ALICE, letter)
