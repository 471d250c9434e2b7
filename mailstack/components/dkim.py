"""DKIM keys, and a service that makes them for each domain in the database."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mailstack.components import postfix_config, systemd
from mailstack.engines import engine_of
from mailstack.facts.dkim import KEYS
from mailstack.files import Directory, Entry, File
from mailstack.operations.units import Unit
from mailstack.templates import render

if TYPE_CHECKING:
    from mailstack.components.component import Site

SCRIPT = "/usr/local/lib/mailstack/dkim-keys"
_NAME = "mailstack-dkim"
_TABLE = "/etc/rspamd/mailstack-domains.cf"


def unit() -> Unit:
    """Return the service that makes keys; the unit file has the checksum of the script."""
    return Unit(_NAME, unit_file=systemd.unit_file(f"{_NAME}.service"))


def files(site: Site) -> list[Entry]:
    """Return the directory of the keys, and the service with its query."""
    settings = site.settings
    peer = settings.mail_db_auth == "peer"
    script = render(
        "rspamd/dkim-keys",
        keys=KEYS,
        driver=settings.db_driver,
        table=_TABLE,
        peer=peer,
        # of bounces, and of the mail of the host itself
        domains=sorted({settings.mail_hostname, settings.expanded(settings.mail_myorigin)}),
    )
    service = render(
        "rspamd/dkim-keys.service",
        script=SCRIPT,
        checksum=hashlib.sha256(script.encode()).hexdigest(),
        environment=engine_of(settings).postfix_environment(site.endpoint),
    )
    query = engine_of(settings).lookups.SIGNED_DOMAINS
    table = postfix_config.sql_cf(settings, site.endpoint, "the domains whose mail is signed", query)
    return [
        Directory(KEYS, "root", "_rspamd", 0o750),
        # with "peer" it has no password
        File(_TABLE, table, mode=0o644 if peer else 0o600, activation=None),
        File(SCRIPT, script, mode=0o755, activation=None),
        *systemd.unit_files(f"{_NAME}.service", service),
    ]
