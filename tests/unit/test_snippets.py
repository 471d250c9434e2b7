"""The examples of the documentation have the right types and settings, and misspelt names are errors."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from subprocess import run
from typing import Any

import pytest

from mailstack import Settings
from mailstack.settings import SettingsError
from mailstack.settings.signature import signature
from tests.support.snippets import PAGES, name, python_blocks, settings_in
from tests.targets.shell import ROOT

WRONG = """\
from mailstack import Settings, accounts, dkim, dovecot

settings = Settings(mail_hostname="mail.example.org", mail_domains=["example.org"])
dovecot.deploy(settings, name="IMAP", _sudo=True)
Settings(mail_hostnam="mail.example.org")
Settings(mail_domains=["example.org"])
Settings(mail_hostname="mail.example.org", mail_pop3="yes")
dovecot.deploy("mail.example.org")
dovecot.deploy(settings, port=993)
dovecot.deploy(settings, _sudo="yes")
accounts.user("anna@example.org", quota_mb=5, name="Anna", _sudo=True)
accounts.alias("info@example.org", ["anna@example.org"], active=True)
accounts.user()
accounts.user("anna@example.org", quota=5)
accounts.user("anna@example.org", "secret")
accounts.alias("info@example.org", "anna@example.org", "bob@example.org")
accounts.sender("anna@example.org", "news@example.org", _sudo="yes")
accounts.declared("mail.example.org")
dkim.publish("example.org", _sudo=True)
dkim.switch(domain="example.org", name="Sign with the new keys")
dkim.publish()
dkim.switch("example.org", "example.com")
"""

#: What examples leave out, which show one thing; and with which settings another example or a secret belongs.
NEEDED = {"mail_hostname": "mail.example.org", "mail_domains": ["example.org"]}
WITH: dict[str, dict[str, Any]] = {
    "mail_acme_challenge": {"mail_acme": True, "mail_acme_email": "admin@example.net"},
    "mail_dns_key_name": {"mail_dns_key_secret": "a2V5"},
}


def errors(*texts: str, folder: Path) -> list[tuple[int, int, str]]:
    """Return the errors of `mypy --strict`: the index of the module, the line, the message."""
    paths = []
    for number, text in enumerate(texts):
        paths.append(folder / f"snippet{number}.py")
        paths[-1].write_text(text)
    argv = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", *map(str, paths)]
    said = run(argv, cwd=ROOT, capture_output=True, text=True, timeout=300)
    found = re.findall(r"snippet(\d+)\.py:(\d+): error: (.*)", said.stdout)
    assert bool(found) == bool(said.returncode), said.stdout + said.stderr
    return [(int(module), int(line), error) for module, line, error in found]


def test_examples_have_the_right_types(tmp_path: Path) -> None:
    blocks = [block for page in PAGES for block in python_blocks(page)]
    # the others show data of an inventory, not always whole
    blocks = [block for block in blocks if "import" in block or block.startswith("db = ")]
    assert any('accounts.alias("info@' in block for block in blocks)
    assert any("dovecot.deploy(settings)\npostfix.deploy(settings)" in block for block in blocks)
    assert errors(*blocks, (ROOT / "deploy.py").read_text(), folder=tmp_path) == []


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_settings_of_examples_are_accepted(page: Path) -> None:
    for block in python_blocks(page):
        for given in settings_in(block):
            more = {key: value for name in given for key, value in WITH.get(name, {}).items()}
            Settings.from_data({**NEEDED, **given, **more})


def test_settings_of_examples_are_found() -> None:
    blocks = [block for page in PAGES for block in python_blocks(page)]
    found = {key for block in blocks for given in settings_in(block) for key in given}
    assert len(found) > 20
    with pytest.raises(SettingsError):
        Settings.from_data({**NEEDED, **next(settings_in("mail_pop3 = 'yes'"))})


def test_misspelt_settings_and_arguments_have_not(tmp_path: Path) -> None:
    found = errors(WRONG, folder=tmp_path)
    assert {line for _, line, _ in found} == {*range(5, 11), *range(13, 19), 21, 22}, found
    assert any('"mail_hostnam" for "Settings"; did you mean "mail_hostname"' in error for *_, error in found)


def test_type_checkers_know_all_settings() -> None:
    made = (ROOT / "mailstack/settings/given.py").read_text()
    assert made == signature(), "run: python -m mailstack.settings.signature > mailstack/settings/given.py"
