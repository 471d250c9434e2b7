"""The conversion of PostfixAdmin's tables."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack.accounts.imports import postfixadmin, tables_of
from mailstack.accounts.postfixadmin_tables import COLUMNS, Moved, accounts, parse, stored_password

MD5 = "$1$SH.8Wsra$lPdBJsUQxAQZQGQ7i94Pj1"
QUOTA = '{"username": "a@a.example", "password": "", "active": true, "quota": "x"}'
BCRYPT = "$2y$05$nyFx8Tzzz2Ok5FdstvRE..cg8nD/hAnjaIfpbRvZkYP5e69RyZ2w6"


def domain(name: str, **more: Any) -> dict[str, Any]:
    """Return a row of the table `domain`."""
    return {"domain": name, "backupmx": False, "active": True, "quota": 2048, **more}


def mailbox(name: str, **more: Any) -> dict[str, Any]:
    """Return a row of the table `mailbox`."""
    return {"username": name, "password": MD5, "quota": 0, "active": True, **more}


def alias(address: str, goto: str, **more: Any) -> dict[str, Any]:
    """Return a row of the table `alias`."""
    return {"address": address, "goto": goto, "active": True, **more}


def moved(**tables: list[dict[str, Any]]) -> Moved:
    """Return the accounts for these rows."""
    return accounts({"domain": [], "mailbox": [], "alias": [], "alias_domain": [], **tables})


def test_both_dumps_say_the_same() -> None:
    xml = """<?xml version="1.0"?>
<mysqldump xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"><database name="postfix">
<table_structure name="domain"><field Field="domain" /></table_structure>
<table_data name="domain"><row><field name="domain">a.example</field><field name="active">1</field>
<field name="backupmx">0</field><field name="created" xsi:nil="true" /></row></table_data>
<table_data name="mailbox"></table_data>
<table_data name="alias"><row><field name="address">a@a.example</field><field name="goto">b@b.example</field>
<field name="active">0</field></row></table_data>
</database></mysqldump>"""
    rows = {
        "domain": [domain("ALL"), domain("a.example")],
        "mailbox": None,
        "alias": [alias("a@a.example", "b@b.example", active=False)],
    }
    assert accounts(parse(xml)) == accounts(parse(json.dumps(rows)))
    assert [str(name.domain_name) for name in accounts(parse(xml)).accounts.domains] == ["a.example"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("-- MySQL dump", "neither the XML of mysqldump nor JSON"),
        ("<mysqldump>", "neither the XML of mysqldump nor JSON"),
        ('{"domain": []}', "has no table mailbox"),
        ("<mysqldump></mysqldump>", "has no table domain"),
        ("5", "JSON, but no object of tables"),
        ("[]", "JSON, but no object of tables"),
        ('{"domain": 5, "mailbox": [], "alias": []}', "table domain: no list of rows"),
        ('{"domain": ["a"], "mailbox": [], "alias": []}', "table domain, row 1: no columns with names"),
        ('{"domain": [{"domain": null, "active": 1}], "mailbox": [], "alias": []}', "domain is no text"),
        (f'{{"domain": [], "alias": [], "mailbox": [{QUOTA}]}}', "row 1: quota = 'x' is no number of octets"),
    ],
)
def test_texts_that_are_not_dumps(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse(text)


@pytest.mark.parametrize(
    ("table", "column"), [(table, column) for table, columns in COLUMNS.items() for column in columns]
)
def test_a_column_that_is_missing(table: str, column: str) -> None:
    row = {name: "x" for name in COLUMNS[table] if name != column}
    tables = {name: [row] if name == table else [] for name in COLUMNS}
    with pytest.raises(ValueError, match=f"^table {table}, row 1: has no column {column}$"):
        parse(json.dumps(tables))


def test_a_missing_file() -> None:
    with pytest.raises(OperationValueError, match="file = '/no/such': No such file"):
        tables_of("/no/such")


def test_mailboxes_and_their_quotas() -> None:
    users = moved(
        mailbox=[
            mailbox("a@a.example", quota="1024000000"),
            mailbox("B@a.example", quota=0, active="0"),
            mailbox("c@a.example", quota=-1, active=False),
        ]
    ).accounts.users
    assert [(user.email, user.quota_mb, user.active) for user in users] == [
        ("a@a.example", 977, True),
        ("b@a.example", None, False),
        ("c@a.example", None, False),
    ]


def test_aliases() -> None:
    found = moved(
        alias=[
            alias("a@a.example", "a@a.example"),
            alias("b@a.example", "b@a.example, X+Y@remote.example,\nb@a.example"),
            alias("@a.example", "a@a.example"),
            alias("c@a.example", "c@a.example,c#a.example@autoreply.a.example"),
            alias("d@a.example", "|/bin/program"),
        ]
    )
    assert [(one.source_email, len(one.destinations)) for one in found.accounts.aliases] == [
        ("b@a.example", 2),
        ("@a.example", 1),
    ]
    assert [text.partition(":")[0] for text in found.left_out] == [
        "alias c@a.example -> c#a.example@autoreply.a.example",
        "alias d@a.example -> |/bin/program",
    ]


def test_alias_domains_and_backup_domains() -> None:
    found = moved(
        domain=[
            domain("a.example"),
            domain("b.example"),
            domain("c.example", backupmx=True),
            domain("d.example", backupmx="1"),
            domain("e.example", backupmx=True),
            domain("f.example", backupmx=True),
        ],
        alias=[
            alias("abuse@b.example", "x@a.example"),
            alias("Known@c.example", "known@c.example"),
            alias("gone@c.example", "gone@c.example", active=False),
            alias("@E.example", "@e.example"),
            alias("gone@f.example", "gone@f.example", active="0"),
            alias("@f.example", "@f.example", active="0"),
        ],
        alias_domain=[{"alias_domain": "b.example", "target_domain": "a.example", "active": True}],
    )
    assert [one.domain_name for one in found.accounts.domains] == ["a.example"]
    assert [(one.alias_domain, one.domain_name) for one in found.accounts.alias_domains] == [
        ("b.example", "a.example")
    ]
    assert [(one.domain_name, one.recipients, one.any_recipient) for one in found.accounts.relay_domains] == [
        ("c.example", ("known@c.example",), False),
        ("d.example", (), True),
        ("e.example", (), True),
        ("f.example", (), False),
    ]
    assert [text.partition(":")[0] for text in found.left_out] == ["abuse@b.example"]


@pytest.mark.parametrize("stored", ["KW5F3m/CYhqgA", "Sommer2024xyw", "$3$other", "$6$is mine"])
def test_texts_that_may_be_a_password_or_a_hash(stored: str) -> None:
    tables: dict[str, Any] = {name: [] for name in COLUMNS} | {
        "mailbox": [mailbox("a@a.example", password=stored)]
    }
    with pytest.raises(
        OperationValueError, match=r"^mailbox a@a\.example: .*allowed: option cleartext"
    ) as caught:
        accounts(tables)
    assert stored not in str(caught.value)
    for cleartext, scheme in {True: "{PLAIN}", False: "{CRYPT}"}.items():
        (user,) = accounts(tables, cleartext).accounts.users
        assert user.password_hash and user.password_hash.get_secret_value() == scheme + stored


def test_with_cleartext_nothing_is_a_hash() -> None:
    assert [stored_password(text, cleartext=True) for text in (MD5, "{x}", "")] == [
        "{PLAIN}" + MD5,
        "{PLAIN}{x}",
        "{CRYPT}*",
    ]


def test_cleartext_is_true_or_false() -> None:
    inner: Any = postfixadmin
    with pytest.raises(OperationValueError, match="cleartext = 'yes': must be true or false"):
        inner._inner("/no/such", cleartext="yes")


@pytest.mark.parametrize(
    ("stored", "ours"),
    [
        (MD5, "{MD5-CRYPT}" + MD5),
        (BCRYPT, "{BLF-CRYPT}" + BCRYPT),
        ("{BLF-CRYPT}" + BCRYPT, "{BLF-CRYPT}" + BCRYPT),
        ("{SHA512-CRYPT.B64}JDYkeA==", "{SHA512-CRYPT.B64}JDYkeA=="),
        ("7124c008ca67e047512f8120c47bb854", "{PLAIN-MD5}7124c008ca67e047512f8120c47bb854"),
        ("{MD5RAW}7124c008ca67e047512f8120c47bb854", "{PLAIN-MD5}7124c008ca67e047512f8120c47bb854"),
        ("{MD5}cSTACMpn4EdRL4EgxHu4VA==", "{LDAP-MD5}cSTACMpn4EdRL4EgxHu4VA=="),
        ("secret", "{PLAIN}secret"),
        ("Sommer2024xyz", "{PLAIN}Sommer2024xyz"),
        ("$ecret", "{PLAIN}$ecret"),
        ("$$$", "{PLAIN}$$$"),
        ("", "{CRYPT}*"),
    ],
)
def test_passwords(stored: str, ours: str) -> None:
    assert stored_password(stored) == ours
    (user,) = moved(mailbox=[mailbox("a@a.example", password=stored)]).accounts.users
    assert user.password_hash is not None
    assert user.password_hash.get_secret_value() == ours
    assert "password_hash" in user.model_fields_set
