"""Secrets: placeholders everywhere, and values only in written files."""

from __future__ import annotations

import pytest
from psycopg2.extensions import parse_dsn

from mailstack import secrets
from mailstack.secrets import Store, fill_in, generate, mask, names_in, placeholder

HOSTILE = "q'uo\"tes \\ back\\\\slash # % %s $1 ${x} \\1 \\g<0> @mailstack-secret:db:raw@ ünï日本"


def test_placeholders_are_found_and_masked() -> None:
    text = f"a {placeholder('db')} b {placeholder('relay', 'dovecot')}"
    assert names_in(text) == {"db", "relay"}
    assert mask(text) == "a *MASKED* b *MASKED*"


def test_what_is_filled_in_is_not_looked_at_again() -> None:
    text = f"x{placeholder('db')}y{placeholder('other')}"
    assert fill_in(text, {"db": HOSTILE, "other": "z"}) == f"x{HOSTILE}yz"


def test_nothing_is_filled_in_while_one_is_missing() -> None:
    assert fill_in(f"{placeholder('db')} {placeholder('other')}", {"db": "x", "other": None}) is None


def test_a_connection_string_of_libpq_survives() -> None:
    text = f"host=x password={placeholder('db', 'conninfo')} user=y"
    filled = fill_in(text, {"db": HOSTILE})
    assert filled is not None
    assert parse_dsn(filled) == {"host": "x", "user": "y", "password": HOSTILE}


def test_a_field_of_a_password_file() -> None:
    assert fill_in(placeholder("db", "pgpass"), {"db": "a:b\\c d"}) == "a\\:b\\\\c d"


def test_a_quoted_string_of_dovecot() -> None:
    assert fill_in(placeholder("db", "dovecot"), {"db": 'a"b\\c'}) == '"a\\"b\\\\c"'


def test_the_certificate_without_its_key() -> None:
    blocks = {kind: f"-----BEGIN {kind}-----\nx\n-----END {kind}-----\n" for kind in ("KEY", "CERTIFICATE")}
    filled = fill_in(placeholder("ca", "certificate"), {"ca": "".join(blocks.values())})
    assert filled == blocks["CERTIFICATE"].strip()


@pytest.mark.parametrize(
    ("value", "quoted"),
    [
        ("a%{user}b", '"a%%{user}b"'),
        ("%%{x} %%%{y", '"%%%{x} %%%%{y"'),
        ("100 %, %u %% %", '"100 %, %u %% %"'),
        ("\\%{x}", '"\\\\%%{x}"'),
    ],
)
def test_dovecot_expands_nothing_in_it(value: str, quoted: str) -> None:
    assert fill_in(placeholder("db", "dovecot"), {"db": value}) == quoted


def test_there_is_no_other_encoding() -> None:
    with pytest.raises(ValueError, match="raw, conninfo, pgpass, mycnf, dovecot, certificate"):
        placeholder("db", "sql")


def test_generated_passwords_are_long_and_differ() -> None:
    made = {generate() for _ in range(100)}
    assert len(made) == 100
    assert all(
        len(password) >= 32 and password.replace("-", "").replace("_", "").isalnum() for password in made
    )


def test_what_is_given_needs_no_host() -> None:
    store = Store({"db": "x"}).with_given({"relay": "y"})
    assert store.values({"relay", "db"}) == {"db": "x", "relay": "y"}


def test_a_kept_secret_that_is_not_there_is_none() -> None:
    parse = secrets.KeptSecret.of("db").answer
    assert parse("") is None
    assert parse("db:value\ndb-other:x\n") == "value"
    assert parse("db-other:x\n") is None
