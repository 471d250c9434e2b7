"""The role of webmail in the database: what it can't do, and the passwords that it changes."""

from __future__ import annotations

import json
import re

import pytest

from mailstack.passwords import app_digest, generate_app_password, hash_password, verify
from mailstack.settings.password_hashes import PASSWORD_SCHEMES
from tests.support import clients
from tests.support.logins import PASSWORD, hashed, logged_in, users
from tests.support.sample_accounts import ALICE, BOB, DAVE
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

REFUSED = (
    "SELECT password FROM mail_users",
    "SELECT email FROM mail_users",
    "UPDATE mail_users SET password = 'x'",
    "DELETE FROM mail_users",
    "INSERT INTO mail_alias (source_email, destination_email) VALUES ('a@example.org', 'b@x.y')",
    "SELECT * FROM mail_domain",
    "SELECT * FROM mail_app_password",
    "TABLE mail_last_login",
    "TABLE mailstack_objects",
    "SELECT mailstack_upgrade_password('alice@example.org', 'x')",
    "SELECT mailstack_record_login('alice@example.org', 'imap', 1)",
    "CREATE TABLE public.own ()",
    "CREATE FUNCTION public.own() RETURNS integer LANGUAGE sql AS 'SELECT 1'",
    "CREATE SCHEMA own",
    "SET ROLE mailadmin",
    "SELECT rolpassword FROM pg_authid",
    "SELECT pg_read_file('/etc/passwd')",
    "CREATE ROLE own",
    "ALTER ROLE maillookup PASSWORD 'x'",
    "COPY (SELECT 1) TO PROGRAM 'id'",
)


def as_webmail(target: Target, statement: str) -> tuple[str, str]:
    """Return what the role of webmail gets for a statement: rows, and errors."""
    connect = "PGSERVICEFILE=/etc/mailstack/webmail/pg_service.conf psql -XAtq service=mailstack"
    done = target.exec(connect, input=statement, check=False)
    return done.stdout.strip(), done.stderr.strip()


def password_of(target: Target, user: str = ALICE) -> str:
    """Return the stored hash of a user."""
    return clients.sql(target, f"SELECT password FROM mail_users WHERE email = '{user}'")


def test_it_can_do_nothing_with_accounts(webmail_server: Target) -> None:
    assert as_webmail(webmail_server, "SELECT current_user, current_schema")[0] == "mailwebmail|mailwebmail"
    for statement in REFUSED:
        rows, said = as_webmail(webmail_server, statement)
        denied = "permission denied" in said or "must be" in said
        assert denied and not rows, (statement, rows, said)


def test_it_learns_the_salt_and_no_digest(webmail_server: Target) -> None:
    stored = password_of(webmail_server)
    salt, _ = as_webmail(webmail_server, f"SELECT mailstack_password_salt('{ALICE}')")
    assert stored.startswith(salt) and len(salt) < len(stored) - 40
    for user in (DAVE, "nobody@example.org"):  # disabled, and missing
        assert as_webmail(webmail_server, f"SELECT mailstack_password_salt('{user}') IS NULL") == ("t", "")
    clear = {
        "a@example.org": "{PLAIN}se$cret",
        "b@example.org": "{CLEAR}$2y$05$" + "x" * 60,
        "c@example.org": "se$cret",
    }
    with users(webmail_server, clear):
        for user in clear:
            salt = f"SELECT mailstack_password_salt('{user}') IS NULL"
            assert as_webmail(webmail_server, salt) == ("t", ""), user


def test_a_password_needs_the_old_one(webmail_server: Target) -> None:
    stored, new = password_of(webmail_server), hash_password("another password")
    salt, _ = as_webmail(webmail_server, f"SELECT mailstack_password_salt('{ALICE}')")
    try:
        for proof, changed in (
            (salt, new),
            ("", new),
            (stored[:-1], new),
            (stored, "{PLAIN}another password"),
            (stored, "another password"),
            (stored, ""),
        ):
            change = f"SELECT mailstack_change_password('{ALICE}', '{proof}', '{changed}')"
            assert as_webmail(webmail_server, change) == ("f", ""), (proof, changed)
            assert password_of(webmail_server) == stored
        other = f"SELECT mailstack_change_password('bob@example.org', '{stored}', '{new}')"
        assert as_webmail(webmail_server, other) == ("f", "")
        change = f"SELECT mailstack_change_password('{ALICE}', '{stored}', '{new}')"
        assert as_webmail(webmail_server, change) == ("t", "")
        assert password_of(webmail_server) == new
        assert as_webmail(webmail_server, change) == ("f", "")  # it is another one now
    finally:
        clients.sql(webmail_server, f"UPDATE mail_users SET password = '{stored}' WHERE email = '{ALICE}'")


def test_php_makes_the_stored_hash_of_every_scheme(webmail_server: Target) -> None:
    """So that users with older hashes can change their passwords, too."""
    made = dict(zip(PASSWORD_SCHEMES, hashed(webmail_server, *PASSWORD_SCHEMES), strict=True))
    made["CURRENT"] = hash_password(PASSWORD)
    made["BARE"] = made["SHA512-CRYPT"].partition("}")[2]
    crypt = "my $word = <STDIN>; chomp $word; print crypt($word, q($y$j9T$abcdefghijklmnop))"
    made["CRYPT"] = "{CRYPT}" + webmail_server.exec(["perl", "-e", crypt], input=PASSWORD + "\n").stdout
    stored = {f"{scheme.lower()}@example.org": text for scheme, text in made.items()}
    with users(webmail_server, stored):
        salts = {
            user: as_webmail(webmail_server, f"SELECT mailstack_password_salt('{user}')")[0]
            for user in stored
        }
    php = """
        require '/usr/local/share/mailstack/webmail/proof.php';
        [$password, $salts] = json_decode(stream_get_contents(STDIN), true);
        foreach ($salts as $user => $salt) {
            $made[$user] = [mailstack_proof($password, $salt), mailstack_proof("$password ", $salt)];
        }
        echo json_encode([$made, mailstack_hash($password)]);
    """
    done = webmail_server.exec(["php", "-r", php], input=json.dumps([PASSWORD, salts]))
    proofs, new = json.loads(done.stdout)
    # PHP has no yescrypt
    expected = stored | {"crypt@example.org": None}
    assert {user: proof for user, (proof, _) in proofs.items()} == expected
    assert [user for user, (_, wrong) in proofs.items() if wrong == stored[user]] == []
    assert verify(new, PASSWORD) and new.startswith("{ARGON2ID}$argon2id$v=19$m=65536,t=2,p=1$")


def test_app_passwords_need_the_password_too(webmail_server: Target) -> None:
    stored, secret = password_of(webmail_server), generate_app_password()
    digest = app_digest(secret)

    def call(function: str, proof: str, *more: str) -> str:
        values = ", ".join(f"'{each}'" for each in (ALICE, proof, *more))
        rows, said = as_webmail(webmail_server, f"SELECT mailstack_{function}({values})")
        assert said == ""
        return rows

    assert call("app_passwords", "wrong") == ""
    assert call("add_app_password", "wrong", "phone", digest, "all") == "f"
    try:
        assert call("add_app_password", stored, "phone", digest, "imap") == "t"
        for name, made, service in (
            ("phone", app_digest("other"), "all"),  # there is one
            ("other", digest, "all"),
            ("A Phone", app_digest("other"), "all"),
            ("other", "x", "all"),
            ("other", app_digest("other"), "root"),
        ):
            assert call("add_app_password", stored, name, made, service) == "f"
        assert call("app_passwords", stored) == "(phone,imap,)"
        for function, more in (("app_passwords", ""), ("remove_app_password", ", 'phone'")):
            other = f"SELECT mailstack_{function}('{ALICE}', '{password_of(webmail_server, BOB)}'{more})"
            assert as_webmail(webmail_server, other) in (("", ""), ("f", ""))
        assert not logged_in("smtp", webmail_server, ALICE, secret)
        assert logged_in("imap", webmail_server, ALICE, secret)
        used = call("app_passwords", stored)
        assert re.fullmatch(r'\(phone,imap,"20\d\d-.*"\)', used)
        assert call("remove_app_password", "wrong", "phone") == "f"
        assert call("remove_app_password", stored, "phone") == "t"
        assert not logged_in("imap", webmail_server, ALICE, secret)
    finally:
        clients.sql(webmail_server, f"DELETE FROM mail_app_password WHERE email = '{ALICE}'")
