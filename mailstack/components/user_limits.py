"""How much users may send, and a service that tells those who have reached a limit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.components import postfix_sql, systemd
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
    postmaster = settings.mail_postmaster
    script = render(
        "rspamd/user-limits",
        driver=settings.db_driver,
        table=_TABLE,
        peer=settings.mail_db_auth == "peer",
        redis=site.link("redis").host,
        hostname=settings.mail_hostname,
        postmaster=postmaster,
        postmaster_shown=postmaster
        if "@" in postmaster
        else f"{postmaster}@{settings.expanded(settings.mail_myorigin)}",
    )
    limits = {name: getattr(settings, f"mail_user_{name}") for name in USER_LIMITS}
    engine = engine_of(settings)
    environment = engine.postfix_environment(site.endpoints)
    comment = "users with limits of their own"
    return [
        File("/etc/rspamd/mailstack/user-limits.lua", render("rspamd/user-limits.lua", limits=limits)),
        postfix_sql.root_sql_table(site, _TABLE, comment, engine.lookups.USER_LIMITS),
        *systemd.script_service(
            settings, _NAME, _SCRIPT, script, "rspamd/user-limits.service", environment=environment
        ),
    ]
