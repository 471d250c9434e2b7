"""A successful login replaces a hash of an older scheme (`mail_password_upgrade`)."""

from __future__ import annotations

import uuid

import bcrypt
import pytest

from mailstack.passwords import app_digest, generate_app_password, verify
from tests.integration.conftest import Factory
from tests.support import clients, deploys, sample_accounts
from tests.support.logins import PASSWORD, all_at_once, hashed, logged_in, users
from tests.support.secret_watch import watched
from tests.targets.containers import Target

LOCKED = {
    "postgresql": "ALTER ROLE mailupgrade NOLOGIN;"
    " SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'mailupgrade'",
    "mysql": "ALTER USER mailupgrade@127.0.0.1 ACCOUNT LOCK",
}
UNLOCKED = {
    "postgresql": "ALTER ROLE mailupgrade LOGIN",
    "mysql": "ALTER USER mailupgrade@127.0.0.1 ACCOUNT UNLOCK",
}
FRANK, GRACE, HEIDI = (f"{name}@example.org" for name in ("frank", "grace", "o'heidi"))
MOVED = "user1@example.org"
#: Users whose hash is declared in another spelling than `{SCHEME}` of one that is strong.
OTHERS = {
    f"user{number}@example.org": scheme
    for number, scheme in enumerate(["{CRYPT}$6$", "{CRYPT}$2y$", "$1$", "{SSHA512.HEX}", "{SSHA}"])
}


@pytest.fixture(scope="module")
def declared(module_clone: Factory) -> tuple[Target, dict[str, object]]:
    """Return a copy of the standard server with the setting on, and its data, which declare frank's hash."""
    target = module_clone("upgrade")
    sha512, blf, md5, ssha512, ssha = hashed(
        target, "SHA512-CRYPT", "BLF-CRYPT", "MD5-CRYPT", "SSHA512.HEX", "SSHA"
    )
    hashes = {FRANK: sha512}
    hashes |= zip(
        OTHERS, (sha512.replace("SHA512-", ""), blf.replace("BLF-", ""), md5[11:], ssha512, ssha), strict=True
    )
    declared = [{"email": email, "password_hash": text} for email, text in hashes.items()]
    for email, text in hashes.items():
        assert text.startswith(OTHERS.get(email, "{SHA512-CRYPT}"))
    # one is in the database as it is declared, as if it had come along from another server
    clients.sql(
        target,
        f"INSERT INTO mail_users (email, password) VALUES ('{MOVED}', '{hashes[MOVED]}')",
    )
    data = sample_accounts.data(mail_password_upgrade=True, mail_users=[*sample_accounts.USERS, *declared])
    deploys.run(target, data)
    return target, data


@pytest.fixture
def host(declared: tuple[Target, dict[str, object]]) -> Target:
    """Return the same server."""
    return declared[0]


def stored(target: Target, user: str) -> str:
    """Return the hash that the database has."""
    quoted = user.replace("'", "''")
    return clients.sql(target, f"SELECT password FROM mail_users WHERE email = '{quoted}'")


def test_a_good_login_upgrades_and_the_next_run_changes_nothing(
    declared: tuple[Target, dict[str, object]],
) -> None:
    host, data = declared
    before = stored(host, FRANK)
    assert before.startswith("{SHA512-CRYPT}")
    assert not logged_in("imap", host, FRANK, PASSWORD + "x")
    assert stored(host, FRANK) == before

    assert logged_in("imap", host, FRANK, PASSWORD)
    after = stored(host, FRANK)
    assert verify(after, PASSWORD), after
    deploys.assert_converged(host, data)

    assert logged_in("imap", host, FRANK, PASSWORD)
    assert not logged_in("imap", host, FRANK, PASSWORD + "x")
    assert stored(host, FRANK) == after, "once is enough"


def test_hashes_of_other_forms_are_upgraded_too(declared: tuple[Target, dict[str, object]]) -> None:
    host, data = declared
    deploys.assert_converged(host, data)
    all_at_once(host, {("imap", user, PASSWORD): True for user in OTHERS})
    for user in OTHERS:
        assert verify(stored(host, user), PASSWORD), user
    deploys.assert_converged(host, data)


def test_a_hash_set_by_hand_afterwards_is_replaced(
    declared: tuple[Target, dict[str, object]],
) -> None:
    host, data = declared
    clients.sql(host, f"UPDATE mail_users SET password = concat(password, 'x') WHERE email = '{FRANK}'")
    assert f"~ user {FRANK}: password" in deploys.said(deploys.run(host, data))
    assert stored(host, FRANK).startswith("{SHA512-CRYPT}")


@pytest.mark.parametrize("service", ["imap", "smtp"])
def test_it_leaves_no_trace(host: Target, service: str) -> None:
    password = f"{uuid.uuid4()} $(id) \\ %u"  # of this test alone, and not given to a program to hash
    bare = bcrypt.hashpw(password.encode(), bcrypt.gensalt(4)).decode()
    made = {GRACE: "{BLF-CRYPT}" + bare, HEIDI: bare}
    with users(host, made):
        with watched(host, [password]) as seen:
            for user in made:
                assert logged_in(service, host, user, password)
                assert verify(stored(host, user), password), user
        assert any("doveadm" in command for command in seen.commands)
        assert any("psql" in command or "mariadb" in command for command in seen.commands)
        secrets = [password, *(stored(host, user).rpartition("$")[2] for user in made)]
        log = host.exec("journalctl --no-pager -o cat; cat /var/log/postgresql/*; true").stdout
        for secret in secrets:
            assert not [line for line in seen.commands if secret in line]
            assert secret not in log
        assert seen.files == []


def test_an_app_password_never_becomes_the_password(host: Target) -> None:
    secret = generate_app_password()
    with users(host, {GRACE: hashed(host, "SSHA512")[0]}):
        values = f"('{GRACE}', 'app', '{app_digest(secret)}')"
        clients.sql(host, f"INSERT INTO mail_app_password (email, name, digest) VALUES {values}")
        assert logged_in("imap", host, GRACE, secret)
        assert stored(host, GRACE).startswith("{SSHA512}")
        assert logged_in("imap", host, GRACE, PASSWORD)
        assert verify(stored(host, GRACE), PASSWORD)
        assert logged_in("imap", host, GRACE, secret)


def test_where_it_fails_the_login_works(host: Target) -> None:
    with users(host, {GRACE: hashed(host, "SHA512-CRYPT")[0]}):
        clients.sql(host, LOCKED[sample_accounts.ENGINE])
        try:
            for service in ("imap", "smtp"):
                assert logged_in(service, host, GRACE, PASSWORD)
            assert stored(host, GRACE).startswith("{SHA512-CRYPT}")
        finally:
            clients.sql(host, UNLOCKED[sample_accounts.ENGINE])
        assert logged_in("imap", host, GRACE, PASSWORD)
        assert verify(stored(host, GRACE), PASSWORD)


def test_the_role_can_do_nothing_else(host: Target) -> None:
    """A client with its password can't replace a hash of the current scheme, nor store any other text."""
    current = stored(host, sample_accounts.ALICE)

    def as_login(sql: str) -> str:
        client = "runuser -u postgres -- psql -XAtq mail -c 'SET SESSION AUTHORIZATION mailupgrade' -f -"
        if sample_accounts.ENGINE == "mysql":
            login = "--defaults-file=/etc/dovecot/upgrade-password.login --user=mailupgrade --host=127.0.0.1"
            client = f"mariadb {login} --batch --skip-column-names mail"
        return host.exec(f"cd /; {client} 2>&1", input=sql, check=False).stdout.strip()

    assert as_login(f"SELECT mailstack_upgrade_password('{sample_accounts.ALICE}', '{current}')") in (
        "f",
        "0",
    )
    with users(host, {GRACE: hashed(host, "SHA512-CRYPT")[0]}):
        assert as_login(f"SELECT mailstack_upgrade_password('{GRACE}', '{{PLAIN}}x')") in ("f", "0")
    assert "denied" in as_login("SELECT mailstack_record_login('alice@example.org', 'imap', 0)")
    for table in ("mail_users", "mail_last_login", "mail_app_password", "mail_domain"):
        assert "denied" in as_login(f"SELECT * FROM {table}")
        assert "denied" in as_login(f"DELETE FROM {table}")
