"""Dovecot: IMAP, POP3 if wanted, delivery by LMTP, and the logins of Postfix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra.api.deploy import deploy as pyinfra_deploy
from pyinfra.context import host

from mailstack import database_passwords, hosts
from mailstack.components import tls
from mailstack.engines import engine_of
from mailstack.facts.platform import PLATFORM
from mailstack.facts.reading import read
from mailstack.files import Directory, Entry, File
from mailstack.operations import units
from mailstack.operations.config_files import config_files
from mailstack.operations.packages import installed
from mailstack.operations.units import Unit, restart_if_differs
from mailstack.operations.users import system_user
from mailstack.templates import render

if TYPE_CHECKING:
    from mailstack.hosts import Endpoint
    from mailstack.settings import Settings

FOLDERS = (("Drafts", "Drafts"), ("Junk", "Junk"), ("Sent", "Sent"), ("Trash", "Trash"))
"""Name and special use (RFC 6154) of the folders that every account has."""

_DIRECTORY = "/etc/dovecot"
_STAGED = f'doveconf -c "$stage"{_DIRECTORY}/dovecot.conf'
_CHECKS = (
    f"{_STAGED} -n >/dev/null",
    # a reload of 2.4 starts no new protocol: the login processes miss their directory
    restart_if_differs("dovecot", "doveconf -h protocols", f"{_STAGED} -h protocols"),
)


def packages(settings: Settings) -> tuple[str, ...]:
    """The Debian packages that the settings need."""
    pop3 = ("dovecot-pop3d",) if settings.mail_pop3 else ()
    return ("dovecot-imapd", "dovecot-lmtpd", f"dovecot-{engine_of(settings).driver}", *pop3)


def files(
    settings: Settings, generation: str, endpoint: Endpoint, *, serves_postfix: bool = False
) -> list[Entry]:
    """Dovecot's whole configuration.

    + generation: ``2.3`` or ``2.4``
    + endpoint: where the database is
    + serves_postfix: whether a Postfix on this host uses its LMTP and logins
    """
    engine = engine_of(settings)
    values = {
        "settings": settings,
        "driver": engine.driver,
        "user": engine.lookup_user(settings, "dovecot"),
        "endpoint": endpoint,
        "password": settings.mail_db_auth == "password",
        "lookups": engine.lookups,
        "folders": FOLDERS,
        "serves_postfix": serves_postfix,
        "certificate": tls.CERTIFICATE,
        "excluded_ciphers": tls.EXCLUDED_CIPHERS,
        "key": tls.KEY,
    }

    def rendered(name: str) -> str:
        return render(f"dovecot/{generation}/{name}", **values)

    root = settings.mail_home_root
    entries: list[Entry] = [
        Directory(root, "vmail", "vmail", 0o750),
        File(f"{_DIRECTORY}/dovecot.conf", rendered("dovecot.conf")),
        File(f"{_DIRECTORY}/auth-sql.conf.ext", rendered("auth-sql.conf.ext"), mode=0o600),
        File(
            f"{_DIRECTORY}/dovecot-sql.conf.ext",
            # 2.4 has no such file; one that an upgrade left behind still has the password
            rendered("dovecot-sql.conf.ext") if generation == "2.3" else None,
            mode=0o600,
        ),
    ]
    if serves_postfix:
        # Debian 13 makes it when Postfix first starts, and Dovecot can't start without
        entries.append(Directory("/var/spool/postfix/private", "postfix", "root", 0o700))
    return entries


@pyinfra_deploy("Dovecot")
def deploy(settings: Settings, *, serves_postfix: bool = False) -> None:
    """Install and run Dovecot.

    + serves_postfix: whether Postfix, which must be installed then, uses its LMTP and logins

    Without it, LMTP listens on ``/run/dovecot/lmtp``.
    """
    generation = read(PLATFORM).dovecot
    endpoint = hosts.database_endpoint(settings, host)
    installed(packages(settings))
    tls.deploy(settings=settings)
    system_user("vmail", settings.mail_vmail_uid, settings.mail_vmail_gid, settings.mail_home_root)
    config_files(
        files(settings, generation, endpoint, serves_postfix=serves_postfix),
        component="dovecot",
        units=["dovecot"],
        store=database_passwords.store(settings),
        checks=_CHECKS,
    )
    units.running(Unit("dovecot"))
