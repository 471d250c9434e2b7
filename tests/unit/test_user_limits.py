"""The limits of users: the script that hands them to rspamd and tells users, and the settings of both."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from mailstack import Settings
from mailstack.components import user_limits
from mailstack.engines.tables import USER_LIMITS
from mailstack.files import File
from mailstack.settings.accounts import User
from mailstack.templates import render
from tests.support.sites import site
from tests.targets.shell import ROOT

#: Answers what the files of its directory say, and writes down what it is told.
REDIS = """#!/bin/sh
cd "$STATE" || exit
case "$3 $4" in
  "hget mailstack_limits") cat known 2>/dev/null; exit 0 ;;
  "lindex mailstack_notices") head -n 1 notices 2>/dev/null; exit 0 ;;
  "lpop mailstack_notices") sed -i 1d notices ;;
  *) cat >> told ;;
esac
"""
POSTMAP = '#!/bin/sh\ncat "$STATE/database" 2>/dev/null\n'
SENDMAIL = '#!/bin/sh\necho "$*" >> "$STATE/mail"; cat >> "$STATE/mail"; [ ! -e "$STATE/full" ]\n'


class Host:
    """The script on a host without a database and without Redis."""

    def __init__(self, root: Path, postmaster: str = "root") -> None:
        self.state, self._bin = root / "state", root / "bin"
        self.state.mkdir()
        self._bin.mkdir()
        # the loop ends after its first round
        programs = {"redis-cli": REDIS, "postmap": POSTMAP, "sendmail": SENDMAIL}
        programs["sleep"] = "#!/bin/sh\nkill $PPID\n"
        for name, text in programs.items():
            (self._bin / name).write_text(text)
            (self._bin / name).chmod(0o755)
        self._script = root / "user-limits"
        values = {"driver": "pgsql", "table": "/t", "redis": "/r", "peer": False}
        shown = postmaster if "@" in postmaster else f"{postmaster}@example.org"
        names = {"hostname": "mail.example.org", "postmaster": postmaster, "postmaster_shown": shown}
        self._script.write_text(render("rspamd/user-limits", **values, **names))

    def run(self) -> str:
        """Run one round, and return what it prints."""
        env = {"PATH": f"{self._bin}:{os.environ['PATH']}", "STATE": str(self.state), "TZ": "UTC"}
        done = subprocess.run(
            ["sh", str(self._script)], env=env, capture_output=True, text=True, timeout=60, check=False
        )
        return done.stdout + done.stderr

    def read(self, name: str) -> str:
        """Return what the host was told, or nothing."""
        path = self.state / name
        return path.read_text() if path.exists() else ""


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def test_limits_in_the_database_come_to_rspamd(host: Host) -> None:
    (host.state / "database").write_text(".,a*b@example.org 5 -1 0 -1,c'd@example.org 1 2 3 4\n")
    host.run()
    _, _, whole, *users, last = host.read("told").splitlines()
    assert whole == """hset mailstack_limits . ".,a*b@example.org 5 -1 0 -1,c'd@example.org 1 2 3 4\""""
    assert users == [
        'hset mailstack_limits "a*b@example.org" "5 -1 0 -1"',
        """hset mailstack_limits "c'd@example.org" "1 2 3 4\"""",
    ]
    assert last == "exec"


def test_they_are_written_only_if_they_have_changed(host: Host) -> None:
    for name in ("database", "known"):
        (host.state / name).write_text(".,a@example.org 5 -1 0 -1\n")
    host.run()
    assert host.read("told") == ""


def test_they_stay_while_the_database_is_away(host: Host) -> None:
    (host.state / "known").write_text(".,a@example.org 5 -1 0 -1\n")
    host.run()
    assert host.read("told") == ""


def test_each_notice_is_sent_once_and_kept_until_it_is(host: Host) -> None:
    (host.state / "notices").write_text("a@example.org 3600 300 messages in an hour\n")
    (host.state / "full").touch()
    host.run()
    assert host.read("notices") != ""
    (host.state / "full").unlink()
    (host.state / "mail").unlink()
    host.run()
    assert host.read("notices") == ""
    mail = host.read("mail")
    assert mail.startswith("-f  -- a@example.org root\n"), "with an empty sender"
    assert "To: <a@example.org>, <root@example.org>\n" in mail
    assert "has reached its limit: 300 messages in an hour.\n" in mail
    assert "before 01:00 UTC on Thursday.\n" in mail
    host.run()
    assert host.read("mail") == mail


@pytest.mark.parametrize("local", ["o'neil", "a`id`b", "$HOME", "$unset", "a|b&c#"])
def test_the_postmaster_may_have_any_name(tmp_path: Path, local: str) -> None:
    host = Host(tmp_path, f"{local}@example.net")
    (host.state / "notices").write_text("a@example.org 3600 300 messages in an hour\n")
    assert host.run() == ""
    assert host.read("mail").startswith(f"-f  -- a@example.org {local}@example.net\n")
    assert f"\nTo: <a@example.org>, <{local}@example.net>\n" in host.read("mail")


def test_all_limits_are_settings_and_columns() -> None:
    settings = Settings(mail_hostname="mail.example.org", mail_user_recipient_daily_limit=77)
    entries = user_limits.files(site(settings))
    (lua,) = [entry for entry in entries if entry.path.endswith(".lua")]
    assert isinstance(lua, File) and lua.content
    assert '  "300", "1000", -- in an hour\n  "1000", "77", -- in a day\n' in lua.content
    assert set(USER_LIMITS) < set(User.model_fields)
    assert {f"mail_user_{name}" for name in USER_LIMITS} < set(Settings.model_fields)


def test_the_example_of_a_newsletter_raises_all_limits() -> None:
    (example,) = re.findall(r"mailstack user add news@\S+ (.*)", (ROOT / "docs/spam.md").read_text())
    given = {name.replace("-", "_"): int(number) for name, number in re.findall(r"--(\S+) (\d+)", example)}
    assert set(given) == set(USER_LIMITS), "the lowest one counts"
    for name, number in given.items():
        assert number == 0 or number > Settings.model_fields[f"mail_user_{name}"].default


@pytest.mark.parametrize("given", [-1, "300", 1.5, True])
def test_a_limit_is_a_number(given: object) -> None:
    with pytest.raises(
        ValueError, match=r"mail_user_message_rate_limit = .*allowed: a number, 0 for no limit"
    ):
        Settings(mail_hostname="mail.example.org", mail_user_message_rate_limit=given)  # type: ignore[arg-type]
