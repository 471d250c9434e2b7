"""Templates of scripts and queries: no value of a setting ends a quote, or means something there."""

from __future__ import annotations

import subprocess

import pytest

from mailstack import Settings
from mailstack.components.postfix_sql import queries
from mailstack.facts.dkim import KEYS
from mailstack.facts.platform import RELEASES, Platform
from mailstack.files import File
from tests.support.sites import site, whole
from tests.targets.shell import ROOT

HOSTILE = "a'`id`$x|{b}&#c"
"""A local part of an address, with each character that is one of sh(1)'s as well."""


@pytest.mark.parametrize("platform", RELEASES)
@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_scripts_are_valid_with_any_settings(platform: Platform, engine: str) -> None:
    data = {
        "mail_hostname": "mail.example.org",
        "mail_db_engine": engine,
        "mail_postmaster": f"{HOSTILE}@example.net",
        "mail_myorigin": "$unset",
        "mail_password_upgrade": True,
        "mail_antivirus": True,
        "mail_quota_warning_subject": "a'`id`$x",
        "mail_quota_warning_text": "=END=\nEND\n'`id`$x\n",
    }
    here = site(Settings.from_data(data))
    files = [entry for each in whole(here) for entry in each.files(here, platform) if isinstance(entry, File)]
    scripts = [file.content for file in files if file.content and file.content.startswith("#!/bin/")]
    assert len(scripts) >= 5
    for text in scripts:
        shell = text.splitlines()[0].removeprefix("#!")
        done = subprocess.run([shell, "-n"], input=text, capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, ""), text


def test_scripts_that_ask_again_and_again_do_not_fill_the_log() -> None:
    here = site(Settings(mail_hostname="mail.example.org"))
    entries = [entry for each in whole(here) for entry in each.files(here, RELEASES[1])]
    text = {entry.path: entry.content or "" for entry in entries if isinstance(entry, File)}
    for name in ("dkim-keys", "user-limits"):
        (service,) = [
            each for each in text.values() if f"ExecStart=/usr/local/lib/mailstack/{name}\n" in each
        ]
        assert "postmap -q" in text[f"/usr/local/lib/mailstack/{name}"]
        assert "\nInaccessiblePaths=/dev/log\n" in service


def test_the_readme_names_each_file_that_is_replaced() -> None:
    readme = (ROOT / "README.md").read_text()
    here = site(Settings(mail_hostname="mail.example.org", mail_antivirus=True, mail_metrics=True))
    paths = {entry.path for each in whole(here) for entry in each.files(here, RELEASES[1])}
    owned = ("/etc/postfix/", "/etc/dovecot/", "/etc/rspamd/local.d/", "/var/", "/run/")
    others = [path for path in paths if "mailstack" not in path and not path.startswith(owned)]
    assert len(others) == 7
    shown = {path.rpartition("/")[2] if "postgresql" in path else path for path in others}
    assert [path for path in shown if f"`{path}`" not in readme] == []


def test_adopting_says_what_becomes_of_each_daemon() -> None:
    page = (ROOT / "docs/adopting.md").read_text()
    for name in ("rspamd", "OpenDKIM", "Redis", "unbound", "postsrsd"):
        assert f"**{name}" in page
    # the paths of the recipe for an old key
    assert f"{KEYS}/example.org/mail.key" in page and f"{KEYS}/example.org/current" in page


@pytest.mark.parametrize("engine", ["postgresql", "mysql"])
def test_a_percent_sign_of_the_postmaster_is_none_of_the_query(engine: str) -> None:
    data = {
        "mail_hostname": "mail.example.org",
        "mail_db_engine": engine,
        "mail_postmaster": "50%u@example.net",
    }
    query = queries(Settings.from_data(data))["virtual_aliases"]
    assert "'50%%u@example.net'" in query
