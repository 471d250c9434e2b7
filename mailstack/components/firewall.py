"""A firewall of nftables: other hosts reach the ports that components declare, SSH, and no others."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mailstack import run

# all components must be known, or their ports would be closed
from mailstack.components import (  # noqa: F401
    acme,
    backends,
    clamav,
    dovecot,
    mariadb,
    metrics,
    mta_sts,
    postfix,
    postgresql,
    rspamd,
    srs,
    systemd,
    tls_reports,
    web,
)
from mailstack.components.component import Component, Requirement, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import ServiceProbe
from mailstack.facts.firewall import FIREWALL_STATE, PROGRAM, LoadedRules
from mailstack.facts.platform import PLATFORM
from mailstack.files import File
from mailstack.operations.firewall import FirewallRules
from mailstack.operations.units import Unit
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from mailstack.facts.platform import Platform
    from mailstack.files import Entry
    from mailstack.operations.created import Completed

_RULES = "/etc/mailstack/firewall.nft"
_STATE = "/var/lib/mailstack/firewall"
"""The rules on the host that were kept last: those that are loaded at boot."""
_NAME = "mailstack-firewall"
_UNIT = systemd.unit_file(f"{_NAME}.service")
_TRIAL = 60
"""Seconds after which a host takes rules back that cut its connection."""
_FOLLOWS = {
    "nftables.service": (
        "Service",
        ("ExecStartPost", "ExecReload"),
        'Debian\'s rules begin with "flush ruleset".',
    ),
    "ssh.service": ("Service", ("ExecStartPost", "ExecReload"), "sshd may have another port now."),
    "ssh.socket": ("Socket", ("ExecStartPost",), "It may have another port now."),
}
"""Units after which the rules are loaded again, with the section and the options of their drop-ins."""


class Opening(NamedTuple):
    """Ports that other hosts may connect to.

    + ports: a match of nft(8), such as ``tcp dport 25``
    + name: the name of the service
    + clients: matches of clients, such as ``ip saddr { 192.0.2.7 } ``; an empty text is all of them
    """

    ports: str
    name: str
    clients: tuple[str, ...]


class Firewall(Component):
    """Let other hosts connect to the declared ports and SSH alone. Without ``mail_firewall``, remove that.

    Tables of others stay as they are.
    """

    name = "firewall"
    title = "Firewall"
    switch = ("mail_firewall", True)

    def requirements(self, site: Site) -> Sequence[Requirement]:
        """See ``Component``."""
        if not site.settings.mail_firewall:
            return []
        clients = site.settings.mail_firewall_ssh_clients
        return [
            Requirement(FIREWALL_STATE, problem),
            Requirement(PLATFORM, lambda platform: shut_out(clients, platform)),
        ]

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``: ss(8) names the servers that listen."""
        return ("nftables", "iproute2") if site.settings.mail_firewall else ()

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        if not site.settings.mail_firewall:
            return [File(path, None, activation=None) for path in (_UNIT, *_others())]
        rules = render("firewall/rules.nft", openings=openings(site), program=PROGRAM)
        program = render("firewall/firewall", rules=_RULES, state=_STATE, seconds=_TRIAL)
        return [
            File(_RULES, rules, activation=None),
            File(PROGRAM, program, mode=0o755, activation=None),
            File(_UNIT, render("firewall/firewall.service", program=PROGRAM), activation=None),
            *(File(_follow(unit), _following(unit), activation=None) for unit in _FOLLOWS),
        ]

    def before_files(self, site: Site, platform: Platform) -> str:
        """See ``Component``."""
        if site.settings.mail_firewall:
            return ""
        return script("end_firewall", _UNIT, *map(_follow, _FOLLOWS))

    def validate(self, site: Site) -> Sequence[str]:
        """See ``Component``."""
        return [script("validate_firewall", _RULES)] if site.settings.mail_firewall else []

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        return [Unit(_NAME, unit_file=_UNIT)] if site.settings.mail_firewall else []

    def completes(self, site: Site, platform: Platform) -> Sequence[Completed]:
        """See ``Component``."""
        return [FirewallRules()] if site.settings.mail_firewall else []

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        if not site.settings.mail_firewall:
            left = "pyinfra INVENTORY deploy.py removes what is left of it"
            return [ServiceProbe("no firewall of mailstack is left", f"[ ! -e {_UNIT} ]", left)]
        advice = (
            f"systemctl unmask {_NAME}; systemctl restart {_NAME}; journalctl -u {_NAME} says why the rules"
            " could not be loaded"
        )
        asks = script("probe_firewall", PROGRAM, _NAME)
        return [ServiceProbe("the rules of the firewall are loaded", asks, advice)]


def problem(found: LoadedRules) -> str | None:
    """Return the error for a host that can't have a firewall, or ``None``."""
    if found.possible:
        return None
    return "mail_firewall: root may not load rules on this host (CAP_NET_ADMIN); allowed: False"


def shut_out(clients: Sequence[str], platform: Platform) -> str | None:
    """Return the error for rules that would refuse the person who loads them, or ``None``.

    A run by SSH tries that by a new connection. One on the host itself (``@local``) has none to try.
    """
    if not clients or not platform.control or run.connects_anew(run.current_host()):
        return None
    address = ipaddress.ip_address(platform.control)
    if address.is_loopback or any(address in ipaddress.ip_network(each) for each in clients):
        return None
    return (
        f"mail_firewall_ssh_clients: lacks {address}, from which you are logged in; allowed: a list with it"
    )


def openings(site: Site) -> list[Opening]:
    """Return SSH, and the ports of all components of a host and of the settings, in order."""
    settings = site.settings
    declared = sorted({port for each in site.components for port in each.ports(site)})
    others = [tuple(each.port.split("/")) for each in settings.mail_firewall_ports]
    return [
        Opening("tcp dport @ssh", "ssh", _matches(settings.mail_firewall_ssh_clients)),
        *(Opening(f"tcp dport {port.number}", port.name, _matches(port.clients)) for port in declared),
        *(
            Opening(f"{protocol} dport {ports}", "mail_firewall_ports", _matches(each.clients))
            for each, (ports, protocol) in zip(settings.mail_firewall_ports, others, strict=True)
        ),
    ]


_network = cache(ipaddress.ip_network)  # each host names all others


def _matches(clients: Iterable[str]) -> tuple[str, ...]:
    networks = [_network(each) for each in clients]
    if not networks:
        return ("",)
    # nft(8) takes no network twice
    old = ipaddress.collapse_addresses(each for each in networks if isinstance(each, ipaddress.IPv4Network))
    new = ipaddress.collapse_addresses(each for each in networks if isinstance(each, ipaddress.IPv6Network))
    named = {"ip": list(map(_shown, old)), "ip6": list(map(_shown, new))}
    return tuple(f"{family} saddr {{ {', '.join(found)} }} " for family, found in named.items() if found)


def _shown(network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> str:
    return str(network.network_address) if network.num_addresses == 1 else str(network)


def _follow(unit: str) -> str:
    return f"/etc/systemd/system/{unit}.d/{_NAME}.conf"


def _following(unit: str) -> str:
    section, commands, reason = _FOLLOWS[unit]
    wants = unit == "nftables.service"
    return render("firewall/follow.conf", section=section, commands=commands, reason=reason, wants=wants)


def _others() -> list[str]:
    return [PROGRAM, _RULES, _STATE, *map(_follow, _FOLLOWS)]


FIREWALL = Firewall()
deploy = deployed(FIREWALL)
