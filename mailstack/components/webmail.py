"""Webmail: Debian's Roundcube on the web server, by a PHP of its own, with its tables in the mail database.

Its role in the database can't read accounts. A user's password is changed by a function that asks for the
old one (``engines/postgresql/schema/functions/webmail.sql``).
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from mailstack.components import listening, systemd
from mailstack.components.component import Component, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import Jail, ServiceProbe
from mailstack.components.passwords import PASSWORDS_OF_DATABASE
from mailstack.components.replication import REPLICATION
from mailstack.components.tls import CERTIFICATE, TLS
from mailstack.components.web import HOST, WEB
from mailstack.endpoint import waits
from mailstack.files import Directory, File, Kept
from mailstack.operations.kept_secrets import Key
from mailstack.operations.units import Unit
from mailstack.operations.users import DaemonUser
from mailstack.passwords import APP_DIGEST_ROUNDS, APP_DIGEST_SALT, LEGIBLE
from mailstack.settings.accounts import APP_PASSWORD_NAME
from mailstack.settings.engines import UNITS
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry
    from mailstack.operations.created import Created

USER = "mailwebmail"
"""The system user of its PHP, which owns nothing but the files of open drafts."""
PATH = "/webmail"
_NAME = "mailstack-webmail"
_PHP = {"debian 12": "8.2", "debian 13": "8.4", "ubuntu 24.04": "8.3"}
"""PHP of each release."""
_DIRECTORY = "/etc/mailstack/webmail"
_KEY = f"{_DIRECTORY}/key"
_RUNTIME = f"/run/{_NAME}"
_SOCKET = f"{_RUNTIME}/php.sock"
_TEMPORARY = f"/var/lib/{_NAME}"
_TABLES = "/usr/local/lib/mailstack/webmail-tables"
_CLEAN = "/usr/local/lib/mailstack/webmail-clean"
_PROOF = "/usr/local/share/mailstack/webmail/proof.php"
_ROUNDCUBE = "/var/lib/roundcube"
_PLUGIN = f"{_ROUNDCUBE}/plugins/mailstack"
_DRIVER = "/usr/share/roundcube/plugins/password/drivers/mailstack.php"
_NGINX = f"{HOST}/webmail.conf"
_LIMIT = "/etc/nginx/conf.d/mailstack-webmail.conf"
_UNITS = {
    systemd.unit_file(f"{_NAME}-{template}"): template
    for template in ("clean.timer", "clean.service", "watch.path", "watch.service")
} | {systemd.unit_file(f"{_NAME}.service"): "webmail.service"}
"""The unit files, each with its template."""
_WATCHERS = (f"{_NAME}-watch.path", f"{_NAME}-clean.timer")
_ENDED = (
    *_UNITS,
    _NGINX,
    _LIMIT,
    *(
        f"{_DIRECTORY}/{name}"
        for name in ("config.inc.php", "defaults.inc.php", "mimetypes.php", "pg_service.conf", "php-fpm.conf")
    ),
    _KEY,
    _TABLES,
    _CLEAN,
    _PROOF,
    _DRIVER,
    f"{_PLUGIN}/mailstack.php",
)
"""What is removed without ``mail_webmail``; the units end first. Packages and tables stay."""
_PROCESSES, _MEMORY, _SECONDS, _ATTEMPTS = 10, 128, 120, 3
"""PHP's processes, MiB for each, seconds for a request, and wrong logins of a user in a minute."""
VALID = 60
"""Seconds that a session goes on after its password has ended."""

_LINE = r"^\S+ mailstack-webmail-login(?:\[\d+\])?: "
_GUESS = (
    _LINE + "wrong login: user=<<F-USER>[^>]*</F-USER>>, password=<F-HASH>[0-9a-f]+</F-HASH>, rip=<ADDR>$"
)
_LOGIN = _LINE + "<F-GOOD>login</F-GOOD>: user=<[^>]*>, rip=<ADDR>$"


class Webmail(Component):
    """Install webmail: Roundcube at ``https://mail_hostname/webmail/``. Without ``mail_webmail``, end it."""

    name = "webmail"
    title = "Webmail"
    switch = ("mail_webmail", True)
    requires = (TLS, PASSWORDS_OF_DATABASE, REPLICATION, WEB)
    beside = ("dovecot", "postfix")
    reloads = ("nginx",)

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.here.has_mail

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``: without this one of PHP's, apt would choose the one for Apache."""
        if not site.settings.mail_webmail:
            return ()
        return ("roundcube-core", "roundcube-pgsql", "roundcube-plugins", f"php{_PHP[platform.system]}-fpm")

    def before_packages(self, site: Site) -> str:
        """See ``Component``."""
        return script("webmail_packages") if site.settings.mail_webmail else ""

    def creates(self, site: Site, platform: Platform) -> Sequence[Created]:
        """See ``Component``."""
        return [DaemonUser(USER), Key(_KEY, USER)] if site.settings.mail_webmail else ()

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``: PHP reads its files again when they change, and all else is in its unit."""
        if not site.settings.mail_webmail:
            return [File(path, None, activation=None) for path in _ENDED]
        values = _values(site, platform)
        pool = render("webmail/php-fpm.conf", **values)
        tables = render("webmail/tables")
        service = render("webmail/pg_service.conf", **values)
        checksum = hashlib.sha256("\n".join((pool, tables, service)).encode()).hexdigest()
        return [
            *map(Directory, (_DIRECTORY, _PLUGIN)),
            Kept(_KEY, group=USER, mode=0o640),
            _file(f"{_DIRECTORY}/config.inc.php", render("webmail/config.inc.php", **values)),
            _file(f"{_DIRECTORY}/defaults.inc.php", _include("defaults.inc.php")),
            _file(f"{_DIRECTORY}/mimetypes.php", _include("mimetypes.php", returns=True)),
            File(f"{_DIRECTORY}/pg_service.conf", service, group=USER, mode=0o640, activation=None),
            _file(f"{_DIRECTORY}/php-fpm.conf", pool),
            File(_TABLES, tables, mode=0o755, activation=None),
            File(_CLEAN, render("webmail/clean", proof=_PROOF), mode=0o755, activation=None),
            _file(_PROOF, render("webmail/proof.php")),
            _file(_DRIVER, render("webmail/driver.php", proof=_PROOF)),
            _file(f"{_PLUGIN}/mailstack.php", render("webmail/plugin.php", valid=VALID, **_app_passwords())),
            File(_LIMIT, render("webmail/limit.conf")),
            File(_NGINX, render("webmail/nginx.conf", **values)),
            *(
                _file(path, render(f"webmail/{template}", checksum=checksum, **values))
                for path, template in _UNITS.items()
            ),
        ]

    def before_files(self, site: Site, platform: Platform) -> str:
        """See ``Component``: the web server goes on without it, also if no setting asks for one."""
        if site.settings.mail_webmail:
            return ""
        return "\n".join([script("end_webmail", _NGINX), script("end_units", *_UNITS)])

    def validate(self, site: Site) -> Sequence[str]:
        """See ``Component``."""
        return [script("validate_nginx")] if site.settings.mail_webmail else ()

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        if not site.settings.mail_webmail:
            return ()
        unit_file = systemd.unit_file(f"{_NAME}.service")
        return [Unit(_NAME, unit_file=unit_file, listens=(_SOCKET,)), *map(Unit, _WATCHERS)]

    def jails(self, site: Site, platform: Platform) -> Sequence[Jail]:
        """See ``Component``: Dovecot sees only this host's own address."""
        if not site.settings.mail_webmail:
            return ()
        return [Jail([f"_SYSTEMD_UNIT={_NAME}.service"], [80, 443], [_GUESS], [_LOGIN])]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        if not site.settings.mail_webmail:
            left = "pyinfra INVENTORY deploy.py removes what is left of it"
            return [ServiceProbe("no webmail is left", f"[ ! -e {_NGINX} ]", left)]
        address = "127.0.0.1" if 4 in listening.versions(site.settings, platform) else "[::1]"
        ask = script("probe_webmail", address, site.settings.mail_hostname, PATH)
        advice = f"systemctl status {_NAME} nginx; journalctl -u {_NAME} says why it ended"
        return [ServiceProbe("webmail shows its login page", ask, advice)]


def _file(path: str, text: str) -> File:
    """Return a file that is read again when it changes, or with its unit."""
    return File(path, text, activation=None)


def _app_passwords() -> Mapping[str, object]:
    """Return how webmail makes app passwords, as ``mailstack.passwords`` does."""
    return {
        "proof": _PROOF,
        "app_name": APP_PASSWORD_NAME,
        "legible": LEGIBLE,
        "rounds": APP_DIGEST_ROUNDS,
        "salt": APP_DIGEST_SALT,
    }


def _include(name: str, *, returns: bool = False) -> str:
    return render("webmail/include.php", file=name, returns=returns)


def _values(site: Site, platform: Platform) -> Mapping[str, object]:
    """Return the values of the templates."""
    settings, endpoint = site.settings, site.endpoints[-1]
    body = settings.mail_message_size_limit
    (first, *_) = listening.dovecot(settings, platform)
    address = {"*": "127.0.0.1", "::": "::1"}.get(first, first)
    return {
        "path": PATH,
        "user": USER,
        "hostname": settings.mail_hostname,
        "domain": settings.domain,
        "address": f"[{address}]" if ":" in address else address,
        "certificate": CERTIFICATE,
        "role": settings.mail_db_webmail_role,
        "database": settings.mail_db_name,
        "endpoints": site.endpoints,
        "waits": waits(site.endpoints),
        "password": settings.mail_db_auth == "password",
        "sslrootcert": endpoint.sslrootcert,
        "sslmode": endpoint.sslmode or ("prefer" if endpoint.is_local else "require"),
        "directory": _DIRECTORY,
        "key": _KEY,
        "runtime": _RUNTIME,
        "socket": _SOCKET,
        "temporary": _TEMPORARY,
        "tables": _TABLES,
        "clean": _CLEAN,
        "document_root": f"{_ROUNDCUBE}/public_html",
        "program": f"/usr/sbin/php-fpm{_PHP[platform.system]}",
        "databases": UNITS,
        "hardened": settings.mail_hardening,
        "sieve": settings.mail_sieve,
        "spam": settings.mail_rspamd,
        "plugins": [
            *("mailstack", "password", "archive"),
            *(["managesieve"] if settings.mail_sieve else []),
            *(["markasjunk"] if settings.mail_rspamd else []),
        ],
        # Roundcube takes a file for 33 % longer in a message; with its lines' ends it is 37 % (RFC 2045, 6.8)
        "message": body * 24 // 25,
        "body": body + 1_000_000,
        "processes": _PROCESSES,
        "memory": _MEMORY + 3 * body // 1_000_000,
        "seconds": _SECONDS,
        "attempts": _ATTEMPTS,
    }


WEBMAIL = Webmail()
deploy = deployed(WEBMAIL)
