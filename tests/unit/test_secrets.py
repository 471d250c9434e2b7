"""Secrets: placeholders everywhere, and values only in written files."""

from __future__ import annotations

import base64
import gzip
import re
from typing import Any

import gevent
import pytest
from psycopg2.extensions import parse_dsn
from pyinfra.connectors.util import CommandOutput, OutputLine
from pyinfra.context import ctx_host

from mailstack import secrets
from mailstack.secrets import Store, fill_in, generate, mask, names_in, placeholder
from mailstack.topology import Node
from tests.unit.test_hosts import inventory

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


@pytest.mark.parametrize("announced", [True, False])
def test_the_host_that_keeps_them_is_asked_once_for_all_others(
    monkeypatch: pytest.MonkeyPatch, announced: bool
) -> None:
    """Or by one command at a time: sshd(8) refuses the eleventh session of a connection."""
    hosts = inventory(db=["one"], mx=["two", "three"], imap=["two", "three"])
    owner, others = hosts["one"], [hosts["two"], hosts["three"]]
    owner.connected = True
    asked: list[list[str]] = []
    running = 0

    def answer(*_: object, _stdin: str, **__: Any) -> tuple[bool, CommandOutput]:
        nonlocal running
        running += 1
        assert running == 1
        names = re.findall(r"of-[a-z]+|for-all", _stdin)
        asked.append(sorted({*names}))
        gevent.sleep(0.01)
        running -= 1
        text = "0\n\0" + "".join(f"{name}:secret {name}\n" for name in names) + "\0"
        packed = base64.b64encode(gzip.compress(text.encode())).decode()
        return True, CommandOutput([OutputLine("stdout", packed)])

    monkeypatch.setattr(owner, "run_shell_command", answer)
    store = Store({}, owner=Node("one"))
    wanted = {host.name: {"for-all", f"of-{host.name}"} for host in others}
    for host in others if announced else []:
        with ctx_host.use(host):
            store.announce(wanted[host.name])
    owner.state.is_executing = True
    found = {}

    def look(host: Any) -> None:
        with ctx_host.use(host):
            found[host.name] = store.values(wanted[host.name])

    gevent.joinall([gevent.spawn(look, host) for host in others], raise_error=True)
    assert found == {name: {each: f"secret {each}" for each in names} for name, names in wanted.items()}
    assert asked == [["for-all", "of-three", "of-two"]] if announced else len(asked) == 3
