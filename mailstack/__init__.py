"""pyinfra deploys that turn plain Debian hosts into a PostgreSQL-backed mail server.

Each component is a module with ``deploy(settings)``; ``mail_server`` deploys all of them.
"""

# Packages and mailstack.status read the version from here
__version__ = "0.2.0.dev0"

from mailstack import accounts, backup, ban, db, metrics, queue
from mailstack.backup.restore import restore
from mailstack.components import (
    acme,
    clamav,
    dovecot,
    fail2ban,
    firewall,
    mail_server,
    mariadb,
    mta_sts,
    postfix,
    postgresql,
    redis,
    resolver,
    rspamd,
    srs,
    tls,
    tls_reports,
    web,
)
from mailstack.draining.commands import drain
from mailstack.overview.commands import status
from mailstack.removal.commands import remove
from mailstack.settings import Settings
from mailstack.tracing.commands import trace
from mailstack.upgrading.commands import upgrade
from mailstack.verify import verify

postgres = postgresql
"""Its name in earlier versions."""

__all__ = [
    "Settings",
    "accounts",
    "acme",
    "backup",
    "ban",
    "clamav",
    "db",
    "dovecot",
    "drain",
    "fail2ban",
    "firewall",
    "mail_server",
    "mariadb",
    "metrics",
    "mta_sts",
    "postfix",
    "postgres",
    "postgresql",
    "queue",
    "redis",
    "remove",
    "resolver",
    "restore",
    "rspamd",
    "srs",
    "status",
    "tls",
    "tls_reports",
    "trace",
    "upgrade",
    "verify",
    "web",
]

accounts.answer_for_modules()
