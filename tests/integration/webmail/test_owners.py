"""Address books, identities and sessions belong to a user, and not to its address."""

from __future__ import annotations

import pytest

from mailstack.passwords import app_digest, generate_app_password, hash_password
from tests.integration.webmail.conftest import DATA
from tests.support import clients, roundcube, sample_accounts
from tests.support.sample_accounts import ALICE, PASSWORDS
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

USER, RENAMED = "leaves@example.org", "moves@example.org"
PASSWORD = "a pass-word 1"
AUNT = "Aunt Emma"
CLEAN = "systemctl start mailstack-webmail-clean.service"


def insert(target: Target, user: str = USER) -> None:
    """Add a user by SQL."""
    columns = "INSERT INTO mail_users (email, password) VALUES"
    clients.sql(target, f"{columns} ('{user}', '{hash_password(PASSWORD)}')")


def delete(target: Target, *users: str) -> None:
    """Remove users by SQL."""
    for user in users:
        clients.sql(target, f"DELETE FROM mail_users WHERE email = '{user}'")


def with_an_aunt(target: Target, user: str = USER) -> roundcube.Session:
    """Return the session of a user who has an address book of one."""
    session = roundcube.opened(target, user, PASSWORD)
    whose = f"FROM mailwebmail.users WHERE username = '{user}'"
    roundcube.insert(target, "contacts (user_id, name)", f"SELECT user_id, '{AUNT}' {whose}")
    assert AUNT in session.contacts()
    return session


def aunts(target: Target) -> str:
    """Return how many address books have her, whoever can see them."""
    return clients.sql(target, f"SELECT count(*) FROM mailwebmail.contacts WHERE name = '{AUNT}'")


def clean_tomorrow(target: Target) -> None:
    """Let a day pass for all data, and remove those of former users."""
    clients.sql(target, "UPDATE mailwebmail.users SET created = created - interval '2 days'")
    target.exec(CLEAN)


def check_now(target: Target) -> None:
    """Let a minute pass for all sessions: what they keep is base64 of PHP's own format."""
    clients.sql(
        target,
        "UPDATE mailwebmail.session SET vars = encode(convert_to(regexp_replace(convert_from(decode(vars,"
        " 'base64'), 'UTF8'), 'mailstack_checked[|]i:[0-9]+', 'mailstack_checked|i:1'), 'UTF8'), 'base64')",
    )


def test_a_new_user_of_an_address_sees_nothing_of_the_former(webmail_server: Target) -> None:
    clean_tomorrow(webmail_server)
    try:
        insert(webmail_server)
        former = with_an_aunt(webmail_server)
        delete(webmail_server, USER)
        insert(webmail_server)
        assert AUNT not in roundcube.opened(webmail_server, USER, PASSWORD).contacts()
        # with the same password, too
        check_now(webmail_server)
        assert not former.is_open()
        # a day later all of it is gone; until then somebody may be about to log in for the first time
        webmail_server.exec(CLEAN)
        assert aunts(webmail_server) == "1"
        clean_tomorrow(webmail_server)
        assert aunts(webmail_server) == "0"
        assert roundcube.is_logged_in(webmail_server, USER, PASSWORD)
    finally:
        delete(webmail_server, USER)


def test_a_renamed_user_keeps_all_and_the_next_one_of_that_address_gets_nothing(
    webmail_server: Target,
) -> None:
    try:
        insert(webmail_server)
        before = with_an_aunt(webmail_server)
        rename = ("-y", "mailstack.accounts.rename", USER, RENAMED)
        webmail_server.pyinfra(*rename, data=sample_accounts.data(**DATA)).check()
        insert(webmail_server)
        rows = "SELECT json_agg(row(username, mail_host) ORDER BY user_id) FROM mailwebmail.users"
        names = clients.sql(webmail_server, rows)
        for user in (USER, RENAMED):
            assert not roundcube.is_logged_in(webmail_server, user, "wrong")
        assert clients.sql(webmail_server, rows) == names  # nothing is written for strangers
        refused = f"auth failed.*user=<{RENAMED}>"
        clients.eventually(lambda: clients.log(webmail_server, refused), "no refusal", 60)
        # each took one question to Dovecot, and so the time that it takes for any other address
        assert not clients.log(webmail_server, "auth failed.*user=<~>")
        # whoever comes first
        assert AUNT not in roundcube.opened(webmail_server, USER, PASSWORD).contacts()
        assert AUNT in roundcube.opened(webmail_server, RENAMED, PASSWORD).contacts()
        check_now(webmail_server)
        assert not before.is_open()
        identities = (
            "SELECT i.email FROM mailwebmail.identities AS i JOIN mailwebmail.users AS u USING (user_id)"
            f" WHERE u.username = '{RENAMED}'"
        )
        assert clients.sql(webmail_server, identities) == RENAMED
        clean_tomorrow(webmail_server)
        assert aunts(webmail_server) == "1"
    finally:
        delete(webmail_server, USER, RENAMED)


def test_data_of_a_host_with_another_address_are_found(webmail_server: Target) -> None:
    try:
        insert(webmail_server)
        with_an_aunt(webmail_server)
        other = f"UPDATE mailwebmail.users SET mail_host = '198.51.100.99' WHERE username = '{USER}'"
        clients.sql(webmail_server, other)
        assert AUNT in roundcube.opened(webmail_server, USER, PASSWORD).contacts()
    finally:
        delete(webmail_server, USER)


@pytest.mark.parametrize(
    "change",
    [f"password = '{hash_password('other')}'", "active = false", f"email = '{RENAMED}'"],
    ids=["password", "active", "email"],
)
def test_a_session_ends_with_the_password_or_the_user(webmail_server: Target, change: str) -> None:
    insert(webmail_server)
    try:
        session = roundcube.opened(webmail_server, USER, PASSWORD)
        check_now(webmail_server)
        assert session.is_open()  # the check passes
        clients.sql(webmail_server, f"UPDATE mail_users SET {change} WHERE email = '{USER}'")
        assert session.is_open()  # it was checked less than a minute ago
        check_now(webmail_server)
        assert not session.is_open()
        journal = "journalctl -q -o cat --no-pager -t mailstack-webmail-login"
        clients.eventually(
            lambda: f"session ended: user=<{USER}>" in webmail_server.exec(journal).stdout, "no word of it"
        )
    finally:
        delete(webmail_server, USER, RENAMED)


def test_a_session_ends_with_its_app_password(webmail_server: Target) -> None:
    secret = generate_app_password()
    row = f"('{ALICE}', 'phone', '{app_digest(secret)}')"
    clients.sql(webmail_server, f"INSERT INTO mail_app_password (email, name, digest) VALUES {row}")
    try:
        session = roundcube.opened(webmail_server, ALICE, secret)
        own = roundcube.opened(webmail_server, ALICE, PASSWORDS[ALICE])
    finally:
        clients.sql(webmail_server, f"DELETE FROM mail_app_password WHERE email = '{ALICE}'")
    check_now(webmail_server)
    assert not session.is_open() and own.is_open()


def test_a_session_goes_on_while_dovecot_can_not_check_it(webmail_server: Target) -> None:
    session = roundcube.opened(webmail_server, ALICE, PASSWORDS[ALICE])
    check_now(webmail_server)
    webmail_server.exec("systemctl stop dovecot.socket dovecot.service")
    try:
        assert session.is_open()
    finally:
        webmail_server.exec("systemctl start dovecot")
    clients.eventually(
        lambda: roundcube.is_logged_in(webmail_server, ALICE, PASSWORDS[ALICE]), "no login", 60
    )
    assert session.is_open()


def test_what_has_expired_is_removed_each_hour(webmail_server: Target) -> None:
    session = roundcube.opened(webmail_server, ALICE, PASSWORDS[ALICE])
    old = "now() - interval '30 days'"
    roundcube.insert(webmail_server, "session (sess_id, changed, ip, vars)", f"SELECT 'old', {old}, '', ''")
    whose = f"FROM users WHERE username = '{ALICE}'"
    deleted = f"SELECT user_id, {old}, 1, 'deleted' {whose}"
    roundcube.insert(webmail_server, "contacts (user_id, changed, del, name)", deleted)
    left = (
        "SELECT (SELECT count(*) FROM mailwebmail.session WHERE sess_id = 'old')"
        " + (SELECT count(*) FROM mailwebmail.contacts WHERE name = 'deleted')"
    )
    assert clients.sql(webmail_server, left) == "2"
    webmail_server.exec("touch -d '30 days ago' /var/lib/mailstack-webmail/RCMTEMPold")
    webmail_server.exec(CLEAN)
    assert clients.sql(webmail_server, left) == "0"
    assert webmail_server.exec("ls /var/lib/mailstack-webmail").stdout == ""
    assert session.is_open()
    assert webmail_server.exec("systemctl is-active mailstack-webmail-clean.timer").stdout == "active\n"
