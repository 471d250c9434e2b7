"""Settings of mailboxes: folders, quota warnings, options of Dovecot."""

from __future__ import annotations

import email
import email.policy
import re
from typing import Any

import pytest

from mailstack import Settings
from mailstack.components.dovecot import DOVECOT
from mailstack.facts.platform import RELEASES
from mailstack.files import File
from mailstack.settings import SettingsError
from tests.support.sites import files

IMPOSSIBLE: list[tuple[str, object, str]] = [
    ("mail_full_text_search", "yes", "must be true or false"),
    ("mail_namespace_separator", "|", "'/' or '.'"),
    ("mail_compression", "xz", "'none', 'gz' or 'zstd'"),
    ("mail_autoexpunge", ["Trash"], "must be a dictionary"),
    ("mail_autoexpunge", {"Trash": 30}, "must be text"),
    ("mail_autoexpunge", {"Trash": "30"}, "'30': not of the right form"),
    ("mail_autoexpunge", {"Trash": "0d"}, "not of the right form"),
    ("mail_autoexpunge", {"a/b": "30d"}, "the key 'a/b'"),
    ("mail_autoexpunge", {'x" {}': "30d"}, "the key"),
    ("mail_autoexpunge", {"*": "30d"}, "the key '*'"),
    ("mail_autoexpunge", {"Inbox": "30d"}, "new mail would be deleted"),
    ("mail_quota_warnings", 80, "must be a list"),
    ("mail_quota_warnings", [101], "1 to 100"),
    ("mail_quota_warnings", [0], "1 to 100"),
    ("mail_quota_warnings", [80, 80], "'80' is there twice"),
    ("mail_quota_warning_subject", "a\nBcc: b", "one line of text"),
    ("mail_quota_warning_text", None, "must be text"),
]


@pytest.mark.parametrize(("name", "value", "said"), IMPOSSIBLE)
def test_what_is_impossible_is_named(name: str, value: Any, said: str) -> None:
    with pytest.raises(SettingsError) as error:
        Settings(mail_hostname="mail.example.org", **{name: value})
    assert name in str(error.value)
    assert said in str(error.value)


def test_names_of_users_have_dots() -> None:
    with pytest.raises(SettingsError, match="mail_shared_folders: needs mail_namespace_separator '/'"):
        Settings(mail_hostname="mail.example.org", mail_shared_folders=True, mail_namespace_separator=".")


def text_of(path: str, generation: str = "2.4", **given: Any) -> str | None:
    """Return the text of a file for these settings."""
    settings = Settings(mail_hostname="mail.example.org", **given)
    (platform,) = [release for release in RELEASES if release.dovecot == generation]
    entries = files(DOVECOT, settings, platform)
    return next(entry.content for entry in entries if isinstance(entry, File) and entry.path == path)


def test_a_warning_is_a_message_in_any_script() -> None:
    subject, text = "Postfach {percent} % voll – いっぱい", "Zeile mit =END= und $(id) `id`\n=END=\n.\n"
    script = text_of(
        "/etc/dovecot/quota-warning",
        mail_quota_warnings=[7, 80],
        mail_quota_warning_subject=subject,
        mail_quota_warning_text=text,
    )
    assert script is not None
    found = re.findall(r"^    (\d+)\) cat <<'=END='\n(.*?)^=END=$", script, re.MULTILINE | re.DOTALL)
    assert [number for number, _ in found] == ["80", "7"]
    for number, raw in found:
        message = email.message_from_string(raw, policy=email.policy.default)
        assert message["Subject"] == subject.replace("{percent}", number)
        assert message.get_content() == text
        assert raw.isascii()


def test_without_a_percentage_nobody_is_warned() -> None:
    assert text_of("/etc/dovecot/quota-warning", mail_quota_warnings=[]) is None
    for generation in ("2.3", "2.4"):
        said = text_of("/etc/dovecot/dovecot.conf", generation, mail_quota_warnings=[])
        assert said is not None and "quota-warning" not in said


def test_ages_are_said_in_full() -> None:
    ages = {"Trash": "30d", "Junk": "2w", "Lists": "12h", "Soon": "5m", "Now": "1s"}
    said = text_of("/etc/dovecot/dovecot.conf", mail_autoexpunge=ages)
    assert said is not None
    found = re.findall(r"autoexpunge = (.*)", said)
    assert sorted(found) == ["1 secs", "12 hours", "2 weeks", "30 days", "5 mins"]
