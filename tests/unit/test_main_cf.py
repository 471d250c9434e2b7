"""What `mail_postfix_main` gives takes the place of the same parameter in main.cf, and of nothing else."""

from __future__ import annotations

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
