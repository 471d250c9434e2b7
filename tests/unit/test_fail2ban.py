"""What fail2ban is told: which lines count, which addresses are spared, and on which hosts it runs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack import Settings
from mailstack.components import fail2ban
from mailstack.components.component import Component, Site
from mailstack.components.declarations import Jail
from mailstack.components.dovecot import DOVECOT
from mailstack.components.fail2ban import FAIL2BAN, jails_of, spared
from mailstack.facts.platform import RELEASES, Platform
from mailstack.files import File
from mailstack.settings import SettingsError
from mailstack.shell import script
from tests.support.sites import files, site

HERE = Settings(mail_hostname="mail.example.org")


def matches(patterns: Sequence[str], text: str) -> dict[str, str]:
    """Return what fail2ban captures of a line of the journal, or nothing."""
    for each in patterns:
        pattern = each.replace("<ADDR>", r"(?P<ip>[0-9a-f.:]+)")
        pattern = re.sub(r"</F-\w+>", ")", re.sub(r"<F-(\w+)>", r"(?P<\1>", pattern))
        if found := re.search(pattern, text):
            return found.groupdict()
    return {}


def jails(platform: Platform) -> tuple[list[str], list[str]]:
    """Return the lines about guesses, and those about good logins."""
    found = jails_of(site(HERE), platform)
    return [line for jail in found for line in jail.guesses], [line for jail in found for line in jail.logins]


def text(name: str, settings: Settings = HERE, platform: Platform = RELEASES[1]) -> str:
    """Return the file of this name."""
    (file,) = [each for each in files(FAIL2BAN, settings, platform) if each.path.endswith(name)]
    assert isinstance(file, File) and file.content
    return file.content


def lines(platform: Platform, kind: str) -> list[str]:
    """Return lines of the journal of a kind: ``guess``, ``login``, or ``other`` for neither."""
    file = Path(__file__).parent / f"journals/logins-debian{platform.debian}.txt"
    parts = [line.split("\t", 1) for line in file.read_text().splitlines()]
    return [text for each, text in parts if each == kind]


@pytest.mark.parametrize("platform", RELEASES)
def test_wrong_logins_are_guesses(platform: Platform) -> None:
    wrong, _ = jails(platform)
    addresses = set()
    for line in lines(platform, "guess"):
        found = matches(wrong, line)
        assert re.fullmatch("[0-9a-f]{4}", found["HASH"]) and found["USER"] in line
        addresses.add(found["ip"])
    assert len(addresses) == 2
    for line in [*lines(platform, "login"), *lines(platform, "other")]:
        assert not matches(wrong, line)


@pytest.mark.parametrize("platform", RELEASES)
def test_good_logins_are_known(platform: Platform) -> None:
    _, good = jails(platform)
    for line in lines(platform, "login"):
        found = matches(good, line)
        assert found["ip"] in line and found["GOOD"]
    for line in [*lines(platform, "guess"), *lines(platform, "other")]:
        assert not matches(good, line)


@pytest.mark.parametrize("platform", RELEASES)
def test_every_entry_names_the_unit_that_journald_records(platform: Platform) -> None:
    (line,) = [
        each for each in text("filter.d/mailstack.conf", HERE, platform).splitlines() if "journal" in each[:7]
    ]
    entries = line.removeprefix("journalmatch = ").split(" + ")
    assert len(entries) == 3 and all(each.startswith("_SYSTEMD_UNIT=") for each in entries)
    assert ("_SYSTEMD_UNIT=postfix@-.service" in line) == (platform.debian == 12)


@pytest.mark.parametrize(
    "jail, problem",
    [
        (Jail(["SYSLOG_IDENTIFIER=dovecot"], [25]), "any user of the host can write such lines"),
        (Jail(["_SYSTEMD_UNIT=x.service"], [25], ["<ADDR>"]), "lacks <F-USER>"),
        (Jail(["_SYSTEMD_UNIT=x.service"], [25], logins=["<F-GOOD>x</F-GOOD>"]), "lacks <ADDR>"),
    ],
)
def test_a_jail_that_can_not_be_is_named(jail: Jail, problem: str) -> None:
    class Own(Component):
        name = "own"

        def jails(self, site: Site, platform: Platform) -> Sequence[Jail]:
            return [jail]

    with pytest.raises(OperationValueError, match=rf"jail of own: .*{problem}"):
        jails_of(replace(site(HERE), components=(Own(),)), RELEASES[1])


def test_all_mail_ports_are_shut() -> None:
    assert "tcp dport { 25, 143, 465, 587, 993, 4190 } ip saddr @ipv4" in text("mailstack.nft")
    more = Settings(mail_hostname="mail.example.org", mail_pop3=True, mail_sieve=False)
    assert "tcp dport { 25, 110, 143, 465, 587, 993, 995 } ip6 saddr @ipv6" in text("mailstack.nft", more)


def test_who_is_spared() -> None:
    settings = Settings(
        mail_hostname="mail.example.org",
        mail_mynetworks=["127.0.0.0/8", "[::1]/128", "192.0.2.0/24", "[2001:db8:1::]/96"],
        mail_fail2ban_spared=["198.51.100.7", "2001:db8:2::/48"],
    )
    controlled = replace(RELEASES[1], control="2001:db8:3:4::5")
    assert spared(settings, controlled) == [
        "127.0.0.0/8",
        "::1",
        "192.0.2.0/24",
        "2001:db8:1::/64",
        "198.51.100.7",
        "2001:db8:2::/48",
        "2001:db8:3:4::/64",
    ]
    assert spared(HERE, replace(RELEASES[1], control="198.51.100.9"))[-1] == "198.51.100.9"


def test_machines_that_deploy_in_turns_make_the_same_list_once_they_are_named() -> None:
    both = ["198.51.100.7", "198.51.100.9"]
    settings = Settings(mail_hostname="mail.example.org", mail_fail2ban_spared=both)
    lists = [spared(settings, replace(RELEASES[1], control=each)) for each in (*both, "")]
    assert lists[0] == lists[1] == lists[2]


@pytest.mark.parametrize(
    "given, said",
    [
        ({"mail_fail2ban_guesses": 2}, "mail_fail2ban_guesses"),
        ({"mail_fail2ban_hours": 0}, "mail_fail2ban_hours"),
        ({"mail_fail2ban_hours": 673}, "hours, 1 to 672"),
        ({"mail_fail2ban_spared": ["192.0.2.1/24"]}, "mail_fail2ban_spared.*192.0.2.1/24"),
        ({"mail_fail2ban_spared": ["0.0.0.0/0"]}, "strangers"),
        ({"mail_fail2ban_spared": ["x; reboot"]}, "allowed: a list of IP addresses"),
        ({"mail_fail2ban": False, "mail_fail2ban_hours": 2}, "needs mail_fail2ban = True"),
    ],
)
def test_impossible_settings(given: dict[str, object], said: str) -> None:
    with pytest.raises(SettingsError, match=said):
        Settings.from_data({"mail_hostname": "mail.example.org", **given})


def test_without_nftables_there_is_nothing_and_the_run_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    without = replace(RELEASES[1], nftables=False)
    here = site(HERE)
    for what in (FAIL2BAN.packages, FAIL2BAN.files, FAIL2BAN.units, FAIL2BAN.probes):
        assert not what(here, without) and what(here, RELEASES[1])
    assert "dovecot-auth-lua" not in DOVECOT.packages(here, without)
    assert "dovecot-auth-lua" in DOVECOT.packages(here, RELEASES[1])
    said: list[str] = []

    class Host:
        def log_styled(self, text: str, **_: object) -> None:
            said.append(text)

    host = Host()
    monkeypatch.setattr(fail2ban, "run", SimpleNamespace(current_host=lambda: host))
    (requirement,) = FAIL2BAN.requirements(here)
    assert requirement.problem(RELEASES[1]) is None and not said
    assert requirement.problem(without) is None and requirement.problem(without) is None
    assert len(said) == 1 and "nobody who guesses passwords is shut out" in said[0]


def test_the_jail_of_ssh_spares_the_same_addresses() -> None:
    name = "jail.d/00-mailstack-ssh.conf"
    settings = Settings(mail_hostname="mail.example.org", mail_mynetworks=["192.0.2.0/24"])
    for release in RELEASES:
        platform = replace(release, control="198.51.100.9")
        found = text(name, settings, platform)
        assert "[DEFAULT]" in found
        (line,) = re.findall("^ignoreip = (.*)", found, re.MULTILINE)
        assert line.split() == spared(settings, platform) and "198.51.100.9" in line


def test_debian_12_gets_what_its_own_jail_lacks() -> None:
    twelve, thirteen = (text("jail.d/00-mailstack-ssh.conf", HERE, platform) for platform in RELEASES)
    assert "[sshd]\nbackend = systemd" in twelve and "[sshd]" not in thirteen


OFF = Settings(mail_hostname="mail.example.org", mail_fail2ban=False)


def test_switched_off_its_own_files_are_removed() -> None:
    here = site(OFF)
    wanted = {entry.path for entry in files(FAIL2BAN, HERE, RELEASES[1])}
    removed = {
        entry.path: entry.content for entry in files(FAIL2BAN, OFF, RELEASES[1]) if isinstance(entry, File)
    }
    kept = {path for path in wanted - removed.keys() if "mailstack-retry@" not in path}
    assert {*removed.values()} == {None} and removed.keys() < wanted
    assert kept == {
        "/etc/fail2ban/jail.d/00-mailstack-ssh.conf",  # without it, fail2ban of Debian 12 would not start
        "/etc/systemd/system/fail2ban.service.d/mailstack.conf",
    }
    for what in (FAIL2BAN.packages, FAIL2BAN.units):
        assert not what(here, RELEASES[1])
    assert not FAIL2BAN.validate(here) and not FAIL2BAN.requirements(here)


def fake(directory: Path, **commands: str) -> dict[str, str]:
    """Return the environment of a host with these commands; each notes that it ran."""
    for name, text in {"fail2ban-client": "", "systemctl": "", "nft": "", "doveconf": "", **commands}.items():
        file = directory / name.replace("_", "-")
        file.write_text(f'#!/bin/sh\necho "{file.name} $*" >> {directory}/ran\n{text}\n')
        file.chmod(0o755)
    return {"PATH": f"{directory}:/usr/bin:/bin"}


def test_switched_off_its_jail_and_its_bans_end(tmp_path: Path) -> None:
    own = [tmp_path / "jail", tmp_path / "rules"]
    for each in own:
        each.touch()
    asks = script("end_fail2ban", "mailstack-bans", *map(str, own))
    subprocess.run(["sh"], input=asks, text=True, env=fake(tmp_path), check=True, timeout=60)
    assert not any(each.exists() for each in own)
    ran = (tmp_path / "ran").read_text().splitlines()
    assert "fail2ban-client reload" in ran and ran[-1] == "nft delete table inet mailstack-bans"
    assert "systemctl restart fail2ban" not in ran
    asks = script("end_fail2ban", "mailstack-bans")
    env = fake(tmp_path, systemctl='[ "$1" != is-active ]', nft="false")  # where there is none
    subprocess.run(["sh"], input=asks, text=True, env=env, check=True, timeout=60)


def test_an_address_that_is_not_in_the_rules_is_not_called_shut_out(tmp_path: Path) -> None:
    asks = script(
        "ban", "mailstack-bans", "ipv4", "192.0.2.7", "fail2ban-client set mailstack banip 192.0.2.7"
    )
    for nft, told in (("false", "192.0.2.7 is not in the rules of nftables"), ("", "")):
        env = fake(tmp_path, nft=nft, sleep="")
        done = subprocess.run(["sh"], input=asks, text=True, env=env, capture_output=True, timeout=60)
        assert told in done.stderr and bool(done.returncode) == bool(told)
    ran = (tmp_path / "ran").read_text().splitlines()
    assert ran[-1] == "nft get element inet mailstack-bans ipv4 { 192.0.2.7 }"


#: A table of nftables with a banned address.
FULL = "echo 'elements = { 192.0.2.7 }'; "


@pytest.mark.parametrize(
    ("nft", "banned", "told"),
    [
        ("rules with addresses", "echo 192.0.2.7", ""),
        ("rules", "echo", ""),
        ("rules", "echo 192.0.2.7", "its bans are not in its rules\n"),
        ("addresses", "echo 192.0.2.7", "its rules are away\n"),
        ("", "echo", "its rules are away\n"),
        ("", "exit 255", ""),  # the jail is switched off by another file
    ],
)
def test_a_deploy_sees_whether_bans_have_an_effect(nft: str, banned: str, told: str, tmp_path: Path) -> None:
    says = (RULES if "rules" in nft else "true") + (f"; {FULL}" if "addresses" in nft else "")
    env = fake(tmp_path, nft=says, fail2ban_client=banned, sleep="")
    asks = script("sound_fail2ban", "mailstack-bans")
    done = subprocess.run(["sh"], input=asks, text=True, env=env, capture_output=True, timeout=60)
    assert done.stdout == told


RULES = "echo 'tcp dport 25 ip saddr @ipv4 reject with tcp reset'; echo 'tcp dport 25 ip6 saddr @ipv6 reject'"


#: A jail that is in no configuration, and of which fail2ban knows nothing.
OFF_BY_ANOTHER = "[ $1 = -d ] && exec echo \"['add', 'sshd', 'systemd']\"; exit 255"
#: Rules that lack one of the addresses.
AWAY = f"[ $1 = list ] || case $* in *2001:db8::7*) exit 1 ;; *) exit 0 ;; esac; {RULES}"


@pytest.mark.parametrize(
    "broken, said",
    [
        ({}, ""),
        ({"nft": "true"}, "its rules are away"),  # after `nft flush table`
        ({"nft": "false"}, "its rules are away"),
        ({"fail2ban_client": "false", "systemctl": "false"}, "fail2ban does not run"),
        ({"program": "exit 127"}, "nobody is shut out"),
        ({"fail2ban_client": OFF_BY_ANOTHER}, "another file below /etc/fail2ban switches the jail"),
        ({"fail2ban_client": "echo 192.0.2.7 2001:db8::7", "nft": AWAY}, "are not in its rules"),
        ({"fail2ban_client": "echo 192.0.2.7 2001:db8::7"}, ""),
        ({"doveconf": "echo driver = sql"}, "Dovecot does not have /etc/dovecot/guesses.lua"),
    ],
)
def test_the_probe_fails_if_nobody_would_be_shut_out(
    broken: dict[str, str], said: str, tmp_path: Path
) -> None:
    works = {"nft": RULES, "doveconf": "echo args = file=/etc/dovecot/guesses.lua", "program": "exit 2"}
    env = fake(tmp_path, **{**works, **broken})
    (probe,) = FAIL2BAN.probes(site(HERE), RELEASES[1])
    asks = probe.script.replace(fail2ban.PROGRAM, str(tmp_path / "program"))
    done = subprocess.run(["sh"], input=asks, text=True, env=env, capture_output=True, timeout=60)
    assert said in done.stderr and bool(done.returncode) == bool(said)
