"""What is shown of one address, and what would happen to a message to it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from mailstack.accounts.listed import Used
from mailstack.accounts.showing import Found, near, queries
from mailstack.engines import engine_of
from mailstack.settings import Settings

POSTGRESQL = Settings(mail_hostname="mail.example.org")
MARIADB = Settings(mail_hostname="mail.example.org", mail_db_engine="mysql")
ALICE = "alice@example.org"
NO_TIMES = [None] * 4
DOMAIN = {"domains": [["example.org", True, None, None, None, None]]}
USER = {
    "users": [[ALICE, True, 10, 0, None, "example.org/alice.1", *NO_TIMES]],
    "rights": [[True, True, False, True, None, None, 0, 30, "sdbox"]],
    "targets": [[ALICE, True]],
}
DISABLED = {**USER, "rights": [[True, True, False, False, None, None, None, None, "maildir"]], "targets": []}
RELAYED = {"relay_domains": [["example.org", True]]}


def found(answer: dict[str, Any], address: str = ALICE, **settings: Any) -> Found:
    return Found.of(address, answer, Settings(mail_hostname="mail.example.org", **settings))


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        ({**DOMAIN, **USER}, ["it is delivered to the mailbox alice@example.org"]),
        (
            {**DOMAIN, "targets": [["bob@example.org", 1], ["x@remote.example", 0]]},
            ["it is delivered to the mailbox bob@example.org", "it is sent on to x@remote.example"],
        ),
        ({**DOMAIN, **DISABLED}, ["it is refused with 550 5.1.1: the user is disabled"]),
        ({**DOMAIN}, ["it is refused with 550 5.1.1: no mailbox and no alias has it"]),
        (
            {**DOMAIN, "leads_to": [["bob@example.org", False]]},
            ["it is refused with 550 5.1.1: its aliases are disabled, or lead to no mailbox"],
        ),
        (
            {**DISABLED, "domains": [["example.org", False, None, None, None, None]]},
            ["it is refused with 550 5.1.1: the domain example.org is disabled"],
        ),
        (
            {**RELAYED, "relayed": [["example.org"]]},
            ["it is accepted, and sent on to the primary of the domain"],
        ),
        (RELAYED, ["it is refused with 550 5.1.1: the domain is relayed, and this recipient is not listed"]),
        ({}, ["its domain is not of this server: users may send to it, and strangers get 554 5.7.1"]),
    ],
)
def test_what_happens_to_mail(answer: dict[str, Any], fate: list[str]) -> None:
    assert found(answer).fate == fate


def test_a_full_mailbox() -> None:
    it = found({**DOMAIN, **USER})
    assert it.user
    it.user = it.user._replace(used=Used(10 * 1024, 3))
    assert it.fate == ["it is refused with 552 5.2.2: the mailbox is full"]
    assert "  quota          10.0 MiB and 3 messages of 10 MiB (100 %)" in it.text().splitlines()


def test_settings_that_decide() -> None:
    virtual = found({}, mail_virtual={ALICE: ["bob@example.org"]})
    assert virtual.fate == ["mail_virtual sends it to bob@example.org"] and virtual.is_known
    host = found({}, "root@mail.example.org")
    assert host.fate == ["it goes to a system user of the host, or where /etc/aliases sends it"]
    assert host.is_known


def test_a_row_of_the_database_is_no_command_for_a_terminal() -> None:
    text = found({**DOMAIN, **USER, "former": [["a\x1b[2J\nb"]]}).text()
    assert "\x1b" not in text and "a?[2J?b" in text


def test_text_and_json() -> None:
    it = found(
        {
            **DOMAIN,
            **USER,
            "logins": [["imap", 1_700_000_000]],
            "app_passwords": [["phone", "imap", 1700000000], ["tablet", "all", None]],
            "senders": [["news@example.org"]],
            "led_to_by": [["info@example.org", True], ["old@example.org", False]],
            "everywhere": [["abuse", True]],
            "former": [["example.org/alice"]],
        }
    )
    lines = it.text().splitlines()
    assert lines == [
        "alice@example.org",
        "  user           may send, may receive",
        "  directory      /var/vmail/example.org/alice.1",
        "  mail_driver    sdbox",
        "  quota          10 MiB",
        "  may send       300 messages in an hour, 1000 recipients in an hour, 30 recipients in a day",
        "  last login     imap 2023-11-14T22:13:20Z",
        "  app passwords  phone (imap, used 2023-11-14T22:13:20Z), tablet (all, never used)",
        "  may send as    news@example.org",
        "  aliases to it  abuse@*, info@example.org, old@example.org (disabled)",
        "  domain         example.org, mailboxes",
        "  left by others example.org/alice",
        "  mail to it     it is delivered to the mailbox alice@example.org",
    ]
    shown = json.loads(json.dumps(it.shown()))
    assert shown["user"]["app_passwords"] == {"phone": "imap", "tablet": "all"}
    assert list(shown["user"]["app_password_logins"]) == ["phone"]
    assert shown["user"]["limits"]["recipient_daily_limit"] == 30
    assert shown["user"]["limits"]["message_daily_limit"] is None
    assert shown["targets"] == [ALICE]


@pytest.mark.parametrize("settings", [POSTGRESQL, MARIADB], ids=["postgresql", "mariadb"])
def test_hostile_addresses_stay_text(settings: Settings) -> None:
    dialect = engine_of(settings).dialect
    address = "o'brien%d%u|x+tag@example.org"
    sql = dialect.read_rows(queries(settings, address))
    assert "o''brien%d%u|x" in sql and "o'brien'" not in sql.replace("''", "")
    assert "+tag" not in sql
    assert "o''brien%d%u|x+tag@" in dialect.read_rows(near(dialect, address))
    assert (
        dialect.with_key("'%u' '%d' '%s' 50%%", "a%d", "x.example") == "'a%d' 'x.example' 'a%d@x.example' 50%"
    )
