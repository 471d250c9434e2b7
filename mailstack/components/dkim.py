"""DKIM keys, and a service that makes them for each domain in the database."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mailstack.components import postfix_sql, systemd
from mailstack.engines import engine_of
from mailstack.facts.dkim import KEYS
from mailstack.files import Directory, Entry
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
    engine = engine_of(settings)
    script = render(
        "rspamd/dkim-keys",
        keys=KEYS,
        driver=settings.db_driver,
        table=_TABLE,
        peer=settings.mail_db_auth == "peer",
        # of bounces, and of the mail of the host itself
        domains=sorted({settings.mail_hostname, settings.expanded(settings.mail_myorigin)}),
        environment=engine.postfix_environment(site.endpoints),
        first=_first(site),
    )
    comment = "the domains whose mail is signed"
    return [
        Directory(KEYS, "root", "_rspamd", 0o750),
        postfix_sql.root_sql_table(site, _TABLE, comment, engine.lookups.SIGNED_DOMAINS),
        *systemd.script_service(settings, _NAME, SCRIPT, script, "rspamd/dkim-keys.service"),
    ]


def _first(site: Site) -> int:
    """Return the number of a domain's first keys on this host: ``rsa1`` if the server has one mail host.

    Of several, each has keys of its own, and counts from a number of its own: no two have the same selector.
    """
    if site.backends is None:
        return 1
    digest = hashlib.sha256(site.here.name.encode()).digest()
    return (100_000 + int.from_bytes(digest) % 900_000) * 1000 + 1
