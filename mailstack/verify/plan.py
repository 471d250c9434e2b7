"""What a host is to check, made from what its components declare. Pure.

``mailstack.on_host.verify`` does it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from mailstack.components import listening
from mailstack.components.component import with_required
from mailstack.components.mail_server import COMPONENTS
from mailstack.facts.dkim import KEYS
from mailstack.files import Directory, File, Kept, Shared
from mailstack.verify.tables import others, tables

if TYPE_CHECKING:
    from mailstack.components.component import Component, Site
    from mailstack.facts.platform import Platform
    from mailstack.files import Entry
    from mailstack.settings import Settings
    from mailstack.verify.accounts import Accounts

HOW = {
    "smtp": "smtp",
    "submission": "smtp",
    "submissions": "",
    "imap": "imap",
    "imaps": "",
    "pop3": "pop3",
    "pop3s": "",
    "sieve": "sieve",
    "https": "",
}
"""The protocol in which a client asks for TLS, by IANA's name of the port; empty if it begins with it."""


def components_of(site: Site) -> list[Component]:
    """Return the components of a host that are installed on it, also those of the administrator."""
    # of mailstack's, some are only there if another one requires them
    own = [each for each in site.components if not type(each).__module__.startswith("mailstack.")]
    wanted = [each for each in (*COMPONENTS, *own) if each.is_wanted(site)]
    return [each for each in with_required(wanted, site) if each.is_installed(site)]


def plan(
    site: Site, platform: Platform, accounts: Accounts | None, *, catch_all: bool, left_out: str = ""
) -> dict[str, Any]:
    """Return what to check, for JSON.

    + accounts: those of this run; without them, no message is sent, and no map asked
    + catch_all: whether every address in their domain is somebody's
    + left_out: the reason if a host with mail has no accounts
    """
    components = components_of(site)
    entries = [entry for each in components for entry in each.files(site, platform)]
    settings = site.settings
    return {
        "mail": site.here.has_mail,
        "left_out": left_out,
        "hostname": settings.mail_hostname,
        **_names(accounts, catch_all),
        **_ports(site, platform, components),
        "probes": [probe._asdict() for each in components for probe in each.probes(site, platform)],
        "maps": tables(site, entries, accounts) if site.here.has_mail else [],
        "other_maps": others(entries, accounts) if site.here.has_mail else [],
        "secrets": list(_secrets(entries)),
        "directories": sorted(
            {state.path for each in components for state in each.state(site) if state.holds == "secrets"}
        ),
        "certificate": _certificate(settings),
        "control": platform.control,
        "networks": [each.replace("[", "").replace("]", "") for each in settings.mail_mynetworks],
        "filter": settings.mail_rspamd,
        "keys": KEYS,
    }


def _certificate(settings: Settings) -> dict[str, str]:
    """Return which certificate is wanted, see ``mailstack.on_host.verify.tls``."""
    if settings.mail_acme:
        return {"source": "ca"}
    if settings.tls_on_host:
        return {"source": "given", "path": settings.tls_on_host[0]}
    if settings.tls_certificate_pem is not None:
        return {"source": "given", "pem": settings.tls_certificate_pem}
    return {"source": "own"}


def _names(accounts: Accounts | None, catch_all: bool) -> dict[str, Any]:
    if accounts is None:
        # a login in clear is tried even so
        return {"domain": None, "user": "verify@mailstack-verify.invalid", "password": "none"}
    names = ("domain", "tag", "password", "user", "other", "nobody")
    return {**{name: getattr(accounts, name) for name in names}, "catch_all": catch_all}


def _ports(site: Site, platform: Platform, components: Sequence[Component]) -> dict[str, Any]:
    settings = site.settings
    declared = [
        {"number": port.number, "name": port.name, "unit": _unit(each, site, platform)}
        for each in components
        for port in each.ports(site)
    ]
    address = _address(site, platform) if site.here.has_mail else "127.0.0.1"
    on = [{**port, "how": HOW[str(port["name"])]} for port in declared if port["name"] in HOW]
    numbers = {port["number"] for port in declared}
    return {
        "address": address,
        "loopback_only": settings.mail_inet_interfaces == ("loopback-only",),
        "ports": declared,
        "allowed_ports": list(settings.mail_verify_ports),
        "firewall": settings.mail_firewall,
        "tls": on,
        "clear_ports": [port for port in on if port["how"] and port["name"] != "https"],
        "mail_ports": [port for port in (25, 587, 465) if port in numbers],
        "imap_port": 993,
    }


def _unit(component: Component, site: Site, platform: Platform) -> str:
    units = component.units(site, platform)
    return units[0].name if units else component.name


def _address(site: Site, platform: Platform) -> str:
    """Return an address of the host on which all daemons listen."""
    (first, *_) = listening.dovecot(site.settings, platform)
    return {"*": "127.0.0.1", "::": "::1"}.get(first, first)


def _secrets(entries: Sequence[Entry]) -> list[dict[str, Any]]:
    """Return the files and directories that are not for everybody."""
    found = []
    for entry in entries:
        if not isinstance(entry, Directory | Kept | File | Shared) or entry.mode & 0o004:
            continue
        if isinstance(entry, File) and entry.content is None:
            continue
        found.append({"path": entry.path, "mode": entry.mode, "group": entry.group})
        if isinstance(entry, File | Shared) and entry.indexed in ("postmap", "postalias"):
            found.append({"path": f"{entry.path}.db", "mode": entry.mode, "group": entry.group})
    return found
