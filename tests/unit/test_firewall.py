"""The firewall: the ports that it opens, and whether a run may keep its rules."""

from __future__ import annotations

import re
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pyinfra.api.exceptions import OperationError, OperationValueError

from mailstack import Settings
from mailstack.components import component
from mailstack.components.component import Component, Site
from mailstack.components.declarations import Port
from mailstack.components.firewall import FIREWALL, problem
from mailstack.facts.firewall import PROGRAM, FirewallState, LoadedRules
from mailstack.facts.platform import RELEASES
from mailstack.files import File
from mailstack.operations import firewall as operation
from mailstack.operations.firewall import FirewallRules
from mailstack.run import Said
from tests.support.sites import site, whole


def here(clients: tuple[str, ...] = (), **settings: Any) -> Site:
    return site(Settings(mail_hostname="mail.example.org", mail_firewall=True, **settings), clients=clients)


def accepted(at: Site) -> list[str]:
    """Return the rules that open ports."""
    (rules,) = [
        each.content or ""
        for each in FIREWALL.files(at, RELEASES[1])
        if isinstance(each, File) and each.path.endswith(".nft")
    ]
    return re.findall(r"^ +(.*dport \S+) accept comment", rules, re.MULTILINE)


def test_it_opens_the_declared_ports_and_ssh() -> None:
    assert accepted(here()) == [
        "tcp dport @ssh",
        *(f"tcp dport {port}" for port in (25, 143, 465, 587, 993, 4190)),
    ]
    at = here(mail_web=True, mail_pop3=True, mail_sieve=False)
    declared = {port.number for each in whole(at) for port in each.ports(at)}
    assert {f"tcp dport {port}" for port in declared} == {*accepted(at)} - {"tcp dport @ssh"}
    assert {80, 443, 110, 995} < declared


def test_a_component_of_your_own_has_its_ports_open(monkeypatch: pytest.MonkeyPatch) -> None:
    class Own(Component):
        name = "own"

        def ports(self, site: Site) -> list[Port]:
            """See ``Component``."""
            return [Port(7000, "own", ("192.0.2.7", "2001:db8::7", "192.0.2.0/24"))]

    monkeypatch.setattr(component, "_KNOWN", {**component._KNOWN, "own": Own()})
    assert accepted(here())[-2:] == [
        "ip saddr { 192.0.2.0/24 } tcp dport 7000",
        "ip6 saddr { 2001:db8::7 } tcp dport 7000",
    ]


def test_the_database_is_open_for_its_clients_alone() -> None:
    assert "ip saddr { 192.0.2.2 } tcp dport 5432" in accepted(here(clients=("192.0.2.2",)))
    assert not [rule for rule in accepted(here()) if "5432" in rule]


def test_other_ports_are_set() -> None:
    ports = [8080, "51820/udp", {"port": "60000-61000/udp", "clients": ["192.0.2.0/24", "2001:db8::/32"]}]
    at = here(mail_firewall_ports=ports, mail_firewall_ssh_clients=["192.0.2.9", "2001:db8::9"])
    assert accepted(at)[:2] == [
        "ip saddr { 192.0.2.9 } tcp dport @ssh",
        "ip6 saddr { 2001:db8::9 } tcp dport @ssh",
    ]
    assert accepted(at)[-4:] == [
        "tcp dport 8080",
        "udp dport 51820",
        "ip saddr { 192.0.2.0/24 } udp dport 60000-61000",
        "ip6 saddr { 2001:db8::/32 } udp dport 60000-61000",
    ]


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"mail_firewall_ports": ["http"]}, "mail_firewall_ports.*'http': not of the right form; allowed"),
        ({"mail_firewall_ports": [0]}, "mail_firewall_ports.*'0': no port, or no range of ports; allowed"),
        ({"mail_firewall_ports": ["9-8"]}, "mail_firewall_ports.*'9-8': no port, or no range.*; allowed"),
        ({"mail_firewall_ports": ["1-65536"]}, "mail_firewall_ports.*'1-65536': no port.*; allowed"),
        ({"mail_firewall_ports": [True]}, "mail_firewall_ports.*must be a dictionary"),
        ({"mail_firewall_ports": "8080"}, "mail_firewall_ports = '8080': must be a list"),
        (
            {"mail_firewall_ports": [{"port": 1, "clients": ["a.example"]}]},
            "mail_firewall_ports.*'a.example': neither an IP address nor a network.*; allowed: a list of ad",
        ),
        (
            {"mail_firewall_ssh_clients": ["192.0.2.1/24"]},
            "mail_firewall_ssh_clients: '192.0.2.1/24': neither an IP address nor a network.*; allowed",
        ),
        (
            {"mail_firewall_ssh_clients": ["0.0.0.0/0"]},
            "mail_firewall_ssh_clients: '0.0.0.0/0': the whole Internet.*; allowed",
        ),
    ],
)
def test_impossible_values_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(OperationValueError, match=said):
        here(**settings)


def test_its_settings_need_it() -> None:
    with pytest.raises(OperationValueError, match="mail_firewall_ports: needs mail_firewall = True"):
        Settings(mail_hostname="mail.example.org", mail_firewall_ports=[8080])


def test_without_it_all_is_removed() -> None:
    off = site(Settings(mail_hostname="mail.example.org"))
    on = {entry.path for entry in FIREWALL.files(here(), RELEASES[1])}
    removed = {
        entry.path: entry.content for entry in FIREWALL.files(off, RELEASES[1]) if isinstance(entry, File)
    }
    assert on < removed.keys() and {*removed.values()} == {None}
    assert (FIREWALL.packages(off, RELEASES[1]), FIREWALL.units(off, RELEASES[1])) == ((), [])


def test_its_rules_come_back_with_those_of_debian() -> None:
    found = {
        each.path: each.content or ""
        for each in FIREWALL.files(here(), RELEASES[1])
        if isinstance(each, File)
    }
    wanting = [path for path, text in found.items() if "Wants=mailstack-firewall.service" in text]
    assert wanting == ["/etc/systemd/system/nftables.service.d/mailstack-firewall.conf"]
    assert "PartOf=nftables.service" in next(
        text for path, text in found.items() if path.endswith("l.service")
    )


def test_a_host_that_can_not_filter_is_refused() -> None:
    without = FirewallState.of().answer("00000000a80425fb\nthere is none\n")
    assert without == LoadedRules(possible=False, difference="there is none")
    assert (problem(without) or "").startswith("mail_firewall: ")
    assert problem(FirewallState.of().answer("000001ffffffffff\n")) is None


@pytest.mark.parametrize(
    "control, by_ssh, refused",
    [
        ("198.51.100.7", False, True),
        ("2001:db8:1::7", False, True),
        ("198.51.100.7", True, False),  # a new connection tries it
        ("192.0.2.7", False, False),
        ("2001:db8::7", False, False),
        ("127.0.0.1", False, False),
        ("", False, False),
    ],
)
def test_who_is_logged_in_on_the_host_is_not_locked_out(
    control: str, by_ssh: bool, refused: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mailstack.run.current_host", lambda: None)
    monkeypatch.setattr("mailstack.run.connects_anew", lambda host: by_ssh)
    at = here(mail_firewall_ssh_clients=["192.0.2.0/24", "2001:db8::/48"])
    _, requirement = FIREWALL.requirements(at)
    said = requirement.problem(replace(RELEASES[1], control=control)) or ""
    assert said.startswith(f"mail_firewall_ssh_clients: lacks {control}") == refused and bool(said) == refused


@pytest.mark.parametrize(
    "enabled, state, works",
    [
        ("enabled", "", True),
        ("masked", "", False),
        ("enabled", "echo new rules", False),
        ("enabled", "false", False),
    ],
)
def test_the_probe_asks_the_program(enabled: str, state: str, works: bool, tmp_path: Path) -> None:
    for name, text in {"systemctl": f"echo {enabled}", "firewall": state}.items():
        (tmp_path / name).write_text(f"#!/bin/sh\n{text}\n")
        (tmp_path / name).chmod(0o755)
    (probe,) = FIREWALL.probes(here(), RELEASES[1])
    asks = probe.script.replace(PROGRAM, str(tmp_path / "firewall"))
    done = subprocess.run(
        ["sh"],
        input=asks,
        text=True,
        env={"PATH": f"{tmp_path}:/usr/bin:/bin"},
        timeout=60,
        capture_output=True,
    )
    assert (done.returncode == 0) == works


class Host:
    """A host, by the old connection and by new ones."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, anew: Said | OperationError) -> None:
        self.ran: list[str] = []
        self.anew = anew
        monkeypatch.setattr(operation, "current_host", lambda: self)
        monkeypatch.setattr(operation, "run_script_anew", self.run_anew)
        monkeypatch.setattr(operation, "run_script", self.run)

    def run_anew(self, on: Host, script: str, within: float) -> Said:
        self.ran.append(f"anew: {script}")
        if isinstance(self.anew, OperationError):
            raise self.anew
        return self.anew

    def run(self, on: Host, script: str, within: float) -> Said:
        self.ran.append(script)
        raise OperationError("cut")


def test_rules_that_a_new_connection_passes_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    host = Host(monkeypatch, Said(True, "", ""))
    FirewallRules()._keep()
    assert host.ran == [f"anew: {PROGRAM} keep"]


@pytest.mark.parametrize("anew", [OperationError("no route"), Said(False, "", "too late\n")])
def test_rules_that_cut_the_connection_are_taken_back(
    monkeypatch: pytest.MonkeyPatch, anew: Said | OperationError
) -> None:
    host = Host(monkeypatch, anew)
    with pytest.raises(
        OperationError, match=r"\((no route|too late)\).*back; allowed: .*mail_firewall_ssh_cl"
    ):
        FirewallRules()._keep()
    assert host.ran == [f"anew: {PROGRAM} keep", f"{PROGRAM} back"]
