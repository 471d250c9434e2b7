"""What `mail_postfix_main` gives takes the place of the same parameter in main.cf, and of nothing else."""

from __future__ import annotations

from typing import Any

import pytest

from mailstack.components.postfix import POSTFIX
from mailstack.facts.platform import RELEASES
from mailstack.files import File
from mailstack.settings import Settings
from tests.support.sites import files

#: Parameters of some lines, and two of one line: one with a comment of its own, and the last of the file.
GIVEN = {
    "smtpd_helo_restrictions": "permit",
    "smtpd_data_restrictions": "reject_unauth_pipelining, permit",
    "import_environment": "TZ",
    "smtpd_banner": "$myhostname ESMTP at your service",
}


def main_cf(**given: str) -> str:
    """Return main.cf with these in `mail_postfix_main`."""
    settings = Settings(mail_hostname="mail.example.org", mail_postfix_main=given)
    entries = files(POSTFIX, settings, RELEASES[1])
    (text,) = (e.content for e in entries if isinstance(e, File) and e.path == "/etc/postfix/main.cf")
    return str(text)


def logical_lines(text: str) -> list[tuple[str, str]]:
    """Return names and values as postconf(5) reads them: a line that begins with a space continues."""
    lines: list[str] = []
    for line in text.splitlines():
        if line.startswith(" "):
            lines[-1] += line
        elif line.strip() and not line.startswith("#"):
            lines.append(line)
    return [(name.strip(), value.strip()) for name, _, value in (line.partition("=") for line in lines)]


@pytest.mark.parametrize("names", [[name] for name in GIVEN] + [list(GIVEN)], ids=" ".join)
def test_what_is_given_replaces_all_lines_of_the_parameter(names: list[str]) -> None:
    given = {name: GIVEN[name] for name in names}
    before, after = logical_lines(main_cf()), logical_lines(main_cf(**given))
    assert len(dict(after)) == len(after), "Postfix warns of a parameter that is set twice"
    assert dict(after) == dict(before) | given


def test_some_of_these_have_several_lines() -> None:
    assert all(
        f"\n{name} =\n " in main_cf() for name in ("smtpd_helo_restrictions", "smtpd_data_restrictions")
    )


RECIPIENTS = "check_recipient_access proxy:pgsql:$config_directory/sql/recipient_classes.cf"


def of(**given: Any) -> tuple[str, str]:
    """Return the recipient restrictions in main.cf, and master.cf."""
    settings = Settings(mail_hostname="mail.example.org", **given)
    texts = {
        entry.path: str(entry.content)
        for entry in files(POSTFIX, settings, RELEASES[1])
        if isinstance(entry, File)
    }
    main = dict(logical_lines(texts["/etc/postfix/main.cf"]))
    return main["smtpd_recipient_restrictions"], texts["/etc/postfix/master.cf"]


def test_one_answer_says_that_a_recipient_exists_and_has_a_quota() -> None:
    checks, master = of()
    assert checks.index(RECIPIENTS) < checks.index("reject_unlisted_recipient")
    assert "quota-status" not in checks
    assert master.count("-o smtpd_reject_unlisted_recipient=no") == 3


@pytest.mark.parametrize(
    "given",
    [
        {"mail_db_engine": "mysql"},
        {"mail_virtual_alias_maps": ["hash:/etc/postfix/mine"]},
        {"mail_virtual_mailbox_maps": ["hash:/etc/postfix/mine"]},
        {"mail_virtual_mailbox_domains": ["hash:/etc/postfix/mine"]},
        {"mail_postfix_main": {"virtual_alias_maps": "hash:/etc/postfix/mine"}},
        {"mail_postfix_main": {"smtpd_restriction_classes": "mine", "mine": "permit"}},
        {"mail_postfix_main": {"smtpd_reject_unlisted_recipient": "yes"}},
    ],
    ids=str,
)
def test_not_of_recipients_that_the_database_does_not_know(given: dict[str, Any]) -> None:
    checks, master = of(**given)
    assert "recipient_classes" not in checks
    assert checks.index("reject_unlisted_recipient") < checks.index("private/quota-status")
    assert "smtpd_reject_unlisted_recipient" not in master


def test_without_its_restrictions_recipients_are_looked_up_as_by_default() -> None:
    _, master = of(mail_postfix_main={"smtpd_recipient_restrictions": "permit_mynetworks"})
    assert "smtpd_reject_unlisted_recipient" not in master
