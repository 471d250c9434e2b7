"""A service that sends DMARC aggregate reports (RFC 7489, 7.2) of what rspamd has counted."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mailstack.components import redis, systemd
from mailstack.files import Entry, File
from mailstack.operations.units import Unit
from mailstack.templates import render

if TYPE_CHECKING:
    from mailstack.components.component import Site
    from mailstack.settings import Settings

_NAME = "mailstack-reports"
_SCRIPT = "/usr/local/lib/mailstack/dmarc-reports"
_RESOLVER = "/etc/rspamd/mailstack/resolv.conf"


def units(settings: Settings) -> list[Unit]:
    """Return the service, if it is wanted; one of an earlier run stays, and sends nothing."""
    unit = Unit(_NAME, unit_file=systemd.unit_file(f"{_NAME}.service"))
    return [unit] if settings.mail_dmarc_reports else []


def files(site: Site) -> list[Entry]:
    """Return the script, its unit file, which has the checksum of the script, and one for a single day."""
    if not site.settings.mail_dmarc_reports:
        return []
    script = render("rspamd/dmarc-reports")
    dns = f"nameserver {site.link('dns').host}\n" if site.offers("dns") else None
    values = {
        "script": _SCRIPT,
        "checksum": hashlib.sha256(script.encode()).hexdigest(),
        "group": redis.GROUP,
        "resolver": _RESOLVER if dns else None,
        "hardened": site.settings.mail_hardening,
    }
    return [
        File(_SCRIPT, script, mode=0o755, activation=None),
        File(_RESOLVER, dns, activation=None),
        *systemd.unit_files(f"{_NAME}.service", render("rspamd/dmarc-reports.service", **values, once=False)),
        *systemd.unit_files(f"{_NAME}@.service", render("rspamd/dmarc-reports.service", **values, once=True)),
    ]
