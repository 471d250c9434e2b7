"""Certificates from a CA, by ACME (RFC 8555): certbot asks for them, and a program of mailstack decides when.

certbot keeps no keys here, and renews nothing by itself: it is given a request for the key that is there. So
a key stays until its successor's TLSA record is known, and a name that is not right in the DNS costs nothing.
"""

from __future__ import annotations

import hashlib
import json
from functools import cache
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationValueError

from mailstack import secrets
from mailstack.components import postfix_sql, systemd
from mailstack.components.acme_files import CONFIGURATION, CREDENTIALS, NAME, PROGRAM, SCRIPT, TABLE
from mailstack.components.component import Component, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import Record, ServiceProbe
from mailstack.components.tls import TLS
from mailstack.components.web import ACME_ROOT, DOMAIN_TEMPLATE, DOMAINS, WEB
from mailstack.engines import engine_of
from mailstack.files import File
from mailstack.on_host import certificates
from mailstack.operations.ca import FromCa
from mailstack.operations.units import Unit
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry
    from mailstack.operations.created import Completed
    from mailstack.settings import Settings

_SECRET = "acme-dns-key"
_DOMAIN = "@DOMAIN@"

_ISSUERS = {"letsencrypt.org": "letsencrypt.org"}
"""By the domain of a CA's server, its name in CAA records (RFC 8659)."""


class Acme(Component):
    """Get the certificates of this host from a CA, and renew them."""

    name = "acme"
    title = "Certificates of a CA"
    switch = ("mail_acme", True)
    requires = (TLS,)

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.settings.mail_acme and site.here.has_mail

    def check(self, site: Site) -> None:
        """See ``Component``."""
        if not site.settings.mail_acme:
            raise OperationValueError("acme: needs mail_acme = True")

    def needs(self, site: Site) -> Sequence[Component]:
        """See ``Component``: the CA finds a file at the web server."""
        return [TLS, WEB]

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``."""
        by_dns = site.settings.mail_acme_challenge == "dns-01"
        plugin = ("python3-certbot-dns-rfc2136",) if by_dns else ()
        return ("certbot", "iproute2", "python3-dnspython", *plugin)

    def secrets(self, site: Site) -> Mapping[str, str]:
        """See ``Component``."""
        key = site.settings.mail_dns_key_secret
        by_dns = site.settings.mail_acme_challenge == "dns-01"
        return {_SECRET: key.get_secret_value()} if key is not None and by_dns else {}

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        settings = site.settings
        environment = engine_of(settings).postfix_environment(site.endpoints)
        script = render("acme/certificates", environment=environment, program=PROGRAM)
        query = engine_of(settings).lookups.SIGNED_DOMAINS
        table = postfix_sql.root_sql_table(site, TABLE, "the domains with certificates", query)
        files = {
            SCRIPT: script,
            **{f"{PROGRAM}/certificates/{name}": text for name, text in _program().items()},
            CONFIGURATION: _configuration(site),
            CREDENTIALS: _credentials(settings),
        }
        checksum = hashlib.sha256("".join(text or "" for text in files.values()).encode()).hexdigest()
        modes = {SCRIPT: 0o755, CREDENTIALS: 0o600}
        return [
            *(File(path, text, mode=modes.get(path, 0o644), activation=None) for path, text in files.items()),
            table,
            *systemd.unit_files(f"{NAME}.service", render("acme/certificates.service", script=SCRIPT)),
            *systemd.unit_files(f"{NAME}.timer", render("acme/certificates.timer", checksum=checksum)),
        ]

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        return [Unit(f"{NAME}.timer")]

    def completes(self, site: Site, platform: Platform) -> Sequence[Completed]:
        """See ``Component``."""
        return [FromCa(site.settings.mail_hostname, SCRIPT)]

    def host_records(self, site: Site) -> Sequence[Record]:
        """See ``Component``: names that point to the host by CNAME have its CAA too (RFC 8659, 3)."""
        server = site.settings.mail_acme_server.removeprefix("https://").partition("/")[0]
        issuers = [name for domain, name in _ISSUERS.items() if server.endswith(f".{domain}")]
        return [Record(site.settings.mail_hostname, "CAA", f'0 issue "{name}"') for name in issuers]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        advice = f"is the DNS right (mailstack.dns.check)? {SCRIPT} now asks the CA again, and says why not"
        return [
            ServiceProbe("the certificates are those of the CA, and valid", f"{SCRIPT} check >&2", advice)
        ]


@cache
def _program() -> dict[str, str]:
    """Return the modules of the program, by the names of their files."""
    folder = Path(certificates.__file__).parent
    return {path.name: path.read_text("utf-8") for path in sorted(folder.glob("*.py"))}


def _configuration(site: Site) -> str:
    settings = site.settings
    names = [name for each in site.components for name in each.certificate_names(site, _DOMAIN)]
    web = WEB.is_wanted(site)
    values = {
        "addresses": [str(ip_address(each)) for each in settings.mail_dns_addresses],
        "as_postfix": settings.mail_db_auth == "peer",
        "challenge": settings.mail_acme_challenge,
        "email": settings.mail_acme_email,
        "hostname": settings.mail_hostname,
        "kinds": ["ecdsa", "rsa"] if settings.mail_acme_rsa else ["ecdsa"],
        "names": names,
        "propagation": settings.mail_acme_propagation,
        "resolver": site.link("dns").host if site.offers("dns") else None,
        "server": settings.mail_acme_server,
        "services": [*TLS.reloads, *(WEB.reloads if web else ())],
        "site": DOMAIN_TEMPLATE if web else None,
        "sites": DOMAINS,
        "table": f"{settings.db_driver}:{TABLE}",
        "webroot": ACME_ROOT,
    }
    return json.dumps(values, indent=1) + "\n"


def _credentials(settings: Settings) -> str | None:
    if settings.mail_acme_challenge != "dns-01":
        return None
    return render("acme/dns.ini", settings=settings, secret=secrets.placeholder(_SECRET))


ACME = Acme()
deploy = deployed(ACME)
