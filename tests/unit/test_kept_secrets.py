"""Keys that are generated once and stay on the host."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from mailstack import Settings, secrets
from mailstack.components.dovecot import DOVECOT
from mailstack.components.dovecot_config import GUESSES_KEY
from mailstack.facts.platform import RELEASES, Platform
from mailstack.files import File, Kept
from mailstack.operations import kept_secrets
from mailstack.operations.kept_secrets import Key, Password
from tests.support.sites import files, site


def test_a_key_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = tmp_path / "a key"
    key = Key(str(place), str(os.getgid()))
    monkeypatch.setattr(kept_secrets, "read", lambda question: {str(place): 1} if place.exists() else {})
    (change,) = key.changes()
    (other,) = key.changes()
    scripts = [str(each.command.connector_arguments["_stdin"]) for each in (change, other)]
    assert scripts[0] != scripts[1]
    subprocess.run(["sh"], input=scripts[0], text=True, check=True, timeout=60)
    assert place.stat().st_mode & 0o777 == 0o640
    text = place.read_text()
    assert len(text) > 16 and text.strip() in scripts[0] and text.strip() not in change.lines[0]
    assert key.changes() == ()


@pytest.mark.parametrize(
    ("found", "kept"), [(None, None), ("", None), ("from before=\nold\n", "from before=")]
)
def test_a_password_that_the_host_has_already_is_kept(
    found: str | None, kept: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if found is not None:
        (tmp_path / "there").write_text(found)
    monkeypatch.setattr(kept_secrets, "read", lambda question: None)
    monkeypatch.setattr(secrets, "DIRECTORY", str(tmp_path / "secrets"))
    (change,) = Password("one", found=str(tmp_path / "there")).changes()
    text = str(change.command.connector_arguments["_stdin"])
    subprocess.run(["sh"], input=text, text=True, check=True, timeout=60)
    file = tmp_path / "secrets/one"
    assert file.stat().st_mode & 0o777 == 0o600
    password = file.read_text().strip()
    assert password == kept or (kept is None and len(password) == 32 and password in text)


@pytest.mark.parametrize("platform", RELEASES)
def test_guesses_are_told_apart_by_a_key_of_the_host(platform: Platform) -> None:
    on, off = (Settings(mail_hostname="mail.example.org", mail_fail2ban=each) for each in (True, False))
    key = Key(GUESSES_KEY, "dovecot")
    assert key in DOVECOT.creates(site(on), platform) and key not in DOVECOT.creates(site(off), platform)
    assert Kept(GUESSES_KEY, group="dovecot", mode=0o640) in files(DOVECOT, on, platform)
    assert File(GUESSES_KEY, None, activation=None) in files(DOVECOT, off, platform)
    (lua,) = [
        each.content or ""
        for each in files(DOVECOT, on, platform)
        if isinstance(each, File) and each.path.endswith("/guesses.lua")
    ]
    assert f'io.open("{GUESSES_KEY}"' in lua and "string.unpack" in lua
