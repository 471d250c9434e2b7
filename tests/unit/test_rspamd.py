"""What rspamd's component declares."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from mailstack import Settings
from mailstack.components.component import with_required
from mailstack.components.dovecot import DOVECOT
from mailstack.components.postfix import POSTFIX
from mailstack.components.rspamd import RSPAMD
from mailstack.facts.platform import RELEASES, Platform
from mailstack.files import File
from mailstack.settings.errors import SettingsError
from mailstack.templates import render
from tests.support.sites import site, whole
from tests.targets.shell import ROOT

SETTINGS = Settings(mail_hostname="mail.example.org", mail_domains=["example.org"])


def written(settings: Settings, platform: Platform = RELEASES[1]) -> dict[str, str]:
    """Return the files of rspamd and Dovecot, by path."""
    here = site(settings)
    entries = [*RSPAMD.files(here, platform), *DOVECOT.files(here, platform)]
    return {entry.path: entry.content for entry in entries if isinstance(entry, File) and entry.content}


def test_postfix_has_its_milter_deployed() -> None:
    names = [component.name for component in with_required([POSTFIX], site(SETTINGS))]
    assert names.index("redis") < names.index("rspamd") < names.index("postfix")
    without = Settings(mail_hostname="mail.example.org", mail_rspamd=False)
    assert "rspamd" not in [component.name for component in with_required([POSTFIX], site(without))]


@pytest.mark.parametrize("platform", RELEASES)
def test_mail_waits_while_it_is_down(platform: Platform) -> None:
    here = site(SETTINGS)
    (main,) = [entry for entry in POSTFIX.files(here, platform) if entry.path == "/etc/postfix/main.cf"]
    assert isinstance(main, File) and main.content
    assert "smtpd_milters = unix:rspamd/milter.sock\nnon_smtpd_milters = $smtpd_milters\n" in main.content
    assert "milter_default_action = tempfail\n" in main.content
    assert "internal_mail_filter_classes = bounce\n" in main.content


def test_no_port_is_open_to_others() -> None:
    here = site(SETTINGS)
    ours = [each for each in whole(here) if each.name in ("redis", "rspamd")]
    assert [port for each in ours for port in each.ports(here)] == []
    sockets = [
        bind
        for path, text in written(SETTINGS).items()
        if path.startswith("/etc/rspamd")
        for bind in re.findall(r'bind_socket = "([^\s"]+)', text)
    ]
    assert sorted(sockets) == [
        "/run/rspamd/mailstack.sock",
        "/var/spool/postfix/rspamd/milter.sock",
        "127.0.0.1:11334",
    ]


def test_its_state_has_keys_and_training() -> None:
    here = site(SETTINGS)
    state = {entry.path: entry.holds for each in whole(here) for entry in each.state(here)}
    assert state["/var/lib/rspamd/dkim"] == "secrets"
    assert state["/var/lib/redis/mailstack.rdb"] == "training"


def test_mynetworks_are_local_and_nothing_else_is() -> None:
    networks = ["127.0.0.0/8", "[::1]/128", "192.0.2.0/24", "[2001:db8::]/32"]
    settings = Settings(mail_hostname="mail.example.org", mail_mynetworks=networks)
    text = written(settings)["/etc/rspamd/local.d/options.inc"]
    # a list would be added to the default, which has all private networks
    assert 'local_addrs = "127.0.0.0/8, ::1/128, 192.0.2.0/24, 2001:db8::/32";\n' in text


def test_nobody_else_reads_the_password_of_the_database() -> None:
    for auth, modes in (("password", {0o600}), ("peer", {0o644})):
        here = site(Settings.from_data({"mail_hostname": "mail.example.org", "mail_db_auth": auth}))
        entries = [entry for entry in RSPAMD.files(here, RELEASES[1]) if entry.path.endswith(".cf")]
        tables = [entry for entry in entries if isinstance(entry, File)]
        assert len(tables) == 2
        assert {("password =" in (table.content or "")) for table in tables} == {auth == "password"}
        assert {table.mode for table in tables} == modes


def test_nothing_is_asked_of_others() -> None:
    files = written(SETTINGS)
    for module in ("asn", "fuzzy_check", "multimap", "rbl", "rspamd_update", "surbl", "url_redirector"):
        assert "enabled = false;" in files[f"/etc/rspamd/local.d/{module}.conf"]
    assert not [path for path, text in files.items() if path.startswith("/etc/rspamd") and "://" in text]


def test_sieve_files_spam_and_learns() -> None:
    files = written(SETTINGS)
    assert "junk.sieve" in files["/etc/dovecot/sieve.conf"]
    assert "imap_sieve = yes" in files["/etc/dovecot/dovecot.conf"]
    own = Settings(mail_hostname="mail.example.org", mail_sieve_before="keep;")
    old = written(own, RELEASES[0])["/etc/dovecot/sieve.conf"]
    # 2.3 reads its list up to the first number that is missing
    assert (
        "  sieve_before = /etc/dovecot/sieve/before.sieve\n"
        "  sieve_before2 = ~/sieve/allow-list.sieve\n"
        "  sieve_before3 = /etc/dovecot/sieve/junk.sieve\n"
    ) in old
    without = written(Settings(mail_hostname="mail.example.org", mail_sieve=False))
    assert "imap_sieve" not in without["/etc/dovecot/dovecot.conf"]
    assert not [path for path in without if path.endswith(".sieve")]


def test_files_end_with_a_newline_and_say_who_wrote_them() -> None:
    for path in (ROOT / "templates/rspamd").iterdir():
        text = path.read_text()
        assert text.endswith("\n")
        if path.name.removesuffix(".j2").endswith((".conf", ".inc")):
            assert text.startswith("# Written by mailstack; changes made here are undone by the next run.")


@pytest.mark.parametrize(
    ("setting", "value", "named"),
    [
        ("mail_spam_blocked_senders", ["anna@"], "'anna@'"),
        ("mail_spam_allowed_senders", ["*.example.org"], r"'\*\.example\.org'"),
        ("mail_spam_allowed_senders", "example.org", "must be a list"),
        ("mail_spam_blocked_networks", ["2001:db8::/32"], "'2001:db8::/32'"),
        ("mail_spam_allowed_networks", ["0.0.0.0/0"], r"'0\.0\.0\.0/0'"),
        ("mail_forbidden_attachments", [".exe"], r"\[0\] = '\.exe'"),
        ("mail_spam_training", "domain", "'domain'"),
    ],
)
def test_bad_values_are_named(setting: str, value: object, named: str) -> None:
    with pytest.raises(SettingsError, match=rf"^{setting}.*{named}"):
        Settings.from_data({"mail_hostname": "mail.example.org", setting: value})


def test_lists_come_to_rspamd() -> None:
    settings = Settings(
        mail_hostname="mail.example.org",
        mail_spam_blocked_senders=["Anna@Example.NET", "ADS.example"],
        mail_spam_allowed_networks=["[2001:db8::]/32"],
        mail_forbidden_attachments=["exe"],
        mail_encrypted_archives=False,
        mail_spam_training="user",
    )
    files = written(settings)
    assert 'set({ "anna@example.net", "ads.example" })' in files["/etc/rspamd/mailstack/senders.lua"]
    assert 'map = ["2001:db8::/32"];' in files["/etc/rspamd/local.d/multimap.conf"]
    assert files["/etc/rspamd/mailstack/attachments.map"] == "exe\n"
    rules = files["/etc/rspamd/local.d/force_actions.conf"]
    assert rules.count("& !ALLOWED_NETWORK") == 2 and '"MIME_ENCRYPTED_ARCHIVE"' in rules
    greylist = files["/etc/rspamd/local.d/greylist.conf"]
    assert greylist.endswith('"FORBIDDEN_ATTACHMENT", "MIME_ENCRYPTED_ARCHIVE"];\n')
    assert "per_user = <<EOD" in files["/etc/rspamd/local.d/classifier-bayes.conf"]


def test_the_from_of_users_is_checked_if_the_setting_says_so() -> None:
    checked = written(Settings(mail_hostname="mail.example.org", mail_own_from_only=True))
    free = written(Settings(mail_hostname="mail.example.org"))
    path, loads = "/etc/rspamd/mailstack/own-from.lua", 'dofile(directory .. "own-from.lua")'
    for files, on in ((checked, True), (free, False)):
        assert (files.get(path) is not None) == on
        assert (loads in files["/etc/rspamd/local.d/rspamd.lua"]) == on
        assert ('"OTHER_FROM"' in files["/etc/rspamd/local.d/settings.conf"]) == on


@pytest.mark.parametrize(("said", "again"), [("", False), ("cannot compile tld patterns", True)])
@pytest.mark.parametrize("code", [0, 1, 124])
def test_damaged_patterns_are_compiled_again(tmp_path: Path, said: str, code: int, again: bool) -> None:
    """Without its files rspamd starts, only slower; after a timeout they may be good."""
    program = tmp_path / "rspamadm"
    program.write_text(f"#!/bin/sh\necho '{said}'\nexit {code}\n")
    program.chmod(0o755)
    (tmp_path / "a.hsmp").touch()
    text = render("rspamd/patterns").replace("/var/lib/rspamd", str(tmp_path))
    environment = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    subprocess.run(["sh"], input=text, text=True, check=True, env=environment)
    kept = code == 124 or (code == 0 and not again)
    assert (tmp_path / "a.hsmp").exists() == kept
