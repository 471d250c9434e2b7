"""How much users may send, and a service that tells those who have reached a limit."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mailstack.components import postfix_config, systemd
from mailstack.engines import engine_of
from mailstack.engines.tables import USER_LIMITS
from mailstack.files import Entry, File
from mailstack.operations.units import Unit
from mailstack.templates import render

if TYPE_CHECKING:
    from mailstack.components.component import Site

_NAME = "mailstack-limits"
_SCRIPT = "/usr/local/lib/mailstack/user-limits"
_TABLE = "/etc/rspamd/mailstack-limits.cf"


def unit() -> Unit:
    """Return the service; the unit file has the checksum of the script."""
    return Unit(_NAME, unit_file=systemd.unit_file(f"{_NAME}.service"))


def files(site: Site) -> list[Entry]:
    """Return the limits for rspamd, and the service with its query."""
    settings = site.settings
    peer = settings.mail_db_auth == "peer"
    postmaster = settings.mail_postmaster
    script = render(
        "rspamd/user-limits",
        driver=settings.db_driver,
        table=_TABLE,
        peer=peer,
        redis=site.link("redis").host,
        hostname=settings.mail_hostname,
        postmaster=postmaster,
        postmaster_shown=postmaster
        if "@" in postmaster
        else f"{postmaster}@{settings.expanded(settings.mail_myorigin)}",
    )
    service = render(
        "rspamd/user-limits.service",
        script=_SCRIPT,
        checksum=hashlib.sha256(script.encode()).hexdigest(),
        environment=engine_of(settings).postfix_environment(site.endpoint),
    )
    limits = {name: getattr(settings, f"mail_user_{name}") for name in USER_LIMITS}
    query = engine_of(settings).lookups.USER_LIMITS
    table = postfix_config.sql_cf(settings, site.endpoint, "users with limits of their own", query)
    return [
        File("/etc/rspamd/mailstack/user-limits.lua", render("rspamd/user-limits.lua", limits=limits)),
        # with "peer" it has no password
        File(_TABLE, table, mode=0o644 if peer else 0o600, activation=None),
        File(_SCRIPT, script, mode=0o755, activation=None),
        *systemd.unit_files(f"{_NAME}.service", service),
    ]
