"""Existing lines in pg_hba.conf."""

from __future__ import annotations

import pytest

from mailstack import Settings
from mailstack.components.postgresql import POSTGRESQL
from mailstack.engines.postgresql.hba import locked_out, rules
from mailstack.facts.platform import RELEASES
from mailstack.files import Shared
from tests.support.sites import files

DEBIAN = """\
# Database administrative login by Unix domain socket
local   all             postgres                                peer
local   all             all                                     peer
host    all             all             127.0.0.1/32            scram-sha-256
local   replication     all                                     peer
"""


def settings(**more: object) -> Settings:
    return Settings.from_data({"mail_hostname": "mail.example.org", **more})


def written(text: str, name: str = "pg_hba.conf", **more: object) -> str:
    """Return the file after a run."""
    (shared,) = [
        entry
        for entry in files(POSTGRESQL, settings(**more), RELEASES[0])
        if isinstance(entry, Shared) and entry.path.endswith(f"/{name}")
    ]
    content = shared.beside(text).content
    assert content is not None
    return content


def test_only_we_say_who_may_be_a_role_of_ours() -> None:
    theirs = "# MAPNAME  SYSTEM-USERNAME  PG-USERNAME\nshop  www-data  shop\n"
    theirs_and_harm = theirs + "mailstack nobody mailadmin\n"
    assert written(theirs_and_harm, "pg_ident.conf") == theirs
    peer = written(theirs_and_harm, "pg_ident.conf", mail_db_auth="peer")
    assert peer.endswith(f"# END mailstack\n{theirs}")
    assert "mailstack  postfix   maillookup\n" in peer


def test_rules_are_read() -> None:
    text = (
        DEBIAN
        + 'hostssl "shop",mail app 192.0.2.0 255.255.255.0 \\\n md5 clientcert=verify-ca # x\ninclude x\n'
    )
    found = rules(text)
    assert len(found) == 5
    assert found[0] == ("local all postgres peer", ("all",), ("postgres",), "", "peer")
    assert found[-1].databases == ("shop", "mail")
    assert (found[-1].address, found[-1].method) == ("192.0.2.0/255.255.255.0", "md5")


def test_what_others_may_use_they_may_still_use() -> None:
    text = DEBIAN + "host shop app all md5\n"
    content = written(text)
    assert content.endswith(text)
    for rule in rules(content.removesuffix(text)):
        assert rule.databases == ("mail",)


def test_the_last_lines_of_ours_close_the_mail_database_to_all_others() -> None:
    ours = rules(
        written("local all all trust\nhost all all all trust\n", mail_db_hba=["host mail a all md5"])
    )
    assert [rule.line for rule in ours[-5:-2]] == [
        "host mail a all md5",
        "local mail all reject",
        "host mail all all reject",
    ]


def test_where_nobody_else_has_a_line_the_administrator_gets_in() -> None:
    for text in (
        "",
        "# nothing\n",
        "# Written by mailstack; changes made here are undone.\nlocal x y peer\n",
    ):
        assert rules(written(text))[-1].line == "local all postgres peer"


@pytest.mark.parametrize(
    "line",
    [
        "host mail webmail 127.0.0.1/32 scram-sha-256",
        "host shop,mail all 192.0.2.0 255.255.255.0 md5",
        "hostssl mail mailadmin 192.0.2.5/32 scram-sha-256",
        "local mail mailadmin trust",
        'local "mail" all peer',
    ],
)
def test_a_line_for_the_mail_database_is_not_lost_unseen(line: str) -> None:
    said = locked_out(settings(), DEBIAN + line + "\n")
    assert said is not None
    assert line in said
    assert "mail_db_hba" in said
    assert locked_out(settings(), written(DEBIAN) + line) is None, "once our block is there, it says so"
    if "trust" not in line and '"' not in line:
        assert locked_out(settings(mail_db_hba=[line.replace(" ", "  ")]), DEBIAN + line) is None


@pytest.mark.parametrize(
    "line",
    [
        "local mail mailadmin,maillookup scram-sha-256",
        "host mail mailadmin 127.0.0.1/32 md5",
        "host mail postgres localhost password",
        "host mail2 mail all md5",
        "host all all all md5",
        "# host mail all all md5",
    ],
)
def test_what_our_lines_do_too_or_what_names_others_is_no_matter(line: str) -> None:
    assert locked_out(settings(), DEBIAN + line) is None


@pytest.mark.parametrize("role", ["mailadmin", "maillookup", "mailupgrade"])
def test_a_line_for_a_role_of_ours_that_we_serve_too_is_no_loss(role: str) -> None:
    for line in (f"local mail {role} scram-sha-256", f"host mail {role},postgres 127.0.0.1/32 md5"):
        assert locked_out(settings(), DEBIAN + line + "\n") is None
