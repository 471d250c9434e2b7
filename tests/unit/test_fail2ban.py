"""What fail2ban is told: which lines count, which addresses are spared, and on which hosts it runs."""

from __future__ import annotations

import re
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
