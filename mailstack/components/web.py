"""A web server for mail programs and other mail servers: nginx, with a handful of files.

Everything is static. A domain that is added by SQL is served at once, as nginx puts its name into the files.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING

from mailstack.components import hardening, listening, systemd, web_pages
from mailstack.components.component import Component, Requirement, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import FormerRecord, Port, Record, ServiceProbe
from mailstack.components.tls import CERTIFICATE, EXCLUDED_CIPHERS, KEY, RSA, TLS
from mailstack.facts.platform import PLATFORM
from mailstack.facts.port_owners import WEB_SERVERS
from mailstack.facts.tlsa import DIRECTORY
from mailstack.files import Directory, File
from mailstack.operations.units import Unit
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry
    from mailstack.settings import Settings

STATE = "/var/lib/mailstack-web"
"""What is made on the host. /var/lib/mailstack is for root alone, and nginx reads files as www-data."""
ACME_ROOT = f"{STATE}/acme"
"""The webroot for challenges of ACME (RFC 8555, 8.3)."""
DOMAINS = "/etc/nginx/mailstack/domains"
"""The servers of domains with certificates of their own, a file ``DOMAIN.conf`` each."""
HOST = "/etc/nginx/mailstack/host"
"""What other components serve in the name of the host: files for inside of its server."""
DOMAIN_TEMPLATE = "/etc/mailstack/web/domain.conf"
"""Such a server, with ``@DOMAIN@`` in place of the domain."""
LABELS = ("mta-sts", "autoconfig", "autodiscover")
"""The names below a mail domain that are served."""

_ROOT = "/usr/local/share/mailstack/web"
_SIGN = "/usr/local/lib/mailstack/sign-profile"
_WATCH = "mailstack-web"
"""The unit that makes nginx read a new certificate. A deploy is not the only one to put one there."""
_ID = 20
"""The length of the id of a policy; at most 32 (RFC 8461, 3.1)."""


class Web(Component):
    """Install nginx, from which mail programs take their settings.

    Sites of an administrator stay as they are, and win for the names that they have.
    """

    name = "web"
    title = "Web server"
    switch = ("mail_web", True)
    requires = (TLS,)
    reloads = ("nginx",)

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.settings.serves_web and site.here.has_mail

    def requirements(self, site: Site) -> Sequence[Requirement]:
        """See ``Component``: beside another server nginx could not start."""
        return [
            Requirement(PLATFORM, lambda platform: listening.problem(site.settings, platform)),
            Requirement(WEB_SERVERS, problem),
        ]

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``."""
        return ("nginx",)

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        page, style = web_pages.setup(site.settings)
        values = {**_values(site, platform), "style": style}
        served = {"setup.html": page, **web_pages.texts(site.settings)}
        return [
            *systemd.drop_in("nginx"),
            *hardening.drop_in(site.settings, "nginx"),
            File(
                "/etc/systemd/system/nginx.service.d/mailstack-web.conf",
                render("web/service.conf", sign=_SIGN),
            ),
            *(
                File(
                    systemd.unit_file(f"{_WATCH}.{kind}"),
                    render(f"web/watch.{kind}", **values),
                    activation=None,
                )
                for kind in ("service", "path")
            ),
            *map(Directory, (STATE, ACME_ROOT, DOMAINS, HOST)),
            File(_SIGN, render("web/sign-profile", **values), mode=0o755),
            *(File(f"{_ROOT}/{name}", text) for name, text in served.items()),
            File("/etc/nginx/conf.d/mailstack.conf", render("web/nginx.conf", **values)),
            File("/etc/nginx/mailstack/http.conf", render("web/http.conf", **values)),
            File("/etc/nginx/mailstack/https.conf", render("web/https.conf", **values)),
            File(DOMAIN_TEMPLATE, render("web/domain.conf", **values), activation=None),
        ]

    def before_files(self, site: Site, platform: Platform) -> str:
        """See ``Component``: Debian's page, if it is still that, would be the answer to unknown names."""
        return script("welcome_page")

    def validate(self, site: Site) -> Sequence[str]:
        """See ``Component``."""
        return [script("validate_nginx")]

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        ports = tuple(str(port.number) for port in self.ports(site))
        service = Unit(
            "nginx", program="/usr/sbin/nginx", pid_file="/run/nginx.pid", drop_in=True, listens=ports
        )
        return [service, Unit(f"{_WATCH}.path")]

    def ports(self, site: Site) -> Sequence[Port]:
        """See ``Component``."""
        return [Port(80, "http"), Port(443, "https")]

    def certificate_names(self, site: Site, domain: str) -> Sequence[str]:
        """See ``Component``: of several mail hosts, one has these names, as a CNAME leads to one host."""
        if site.backends and not site.backends.has_aliases:
            return []
        return [f"{label}.{domain}" for label in LABELS]

    def records(self, site: Site, domain: str) -> Sequence[Record]:
        """See ``Component``: RFC 8461, 3.1, and the names that mail programs make of a domain."""
        if not (names := self.certificate_names(site, domain)):
            return []  # also as the policy of MTA-STS is another one on each host
        host = f"{site.settings.mail_hostname}."
        return [
            *(Record(name, "CNAME", host) for name in names),
            Record(f"_mta-sts.{domain}", "TXT", f'"v=STSv1; id={policy_id(site.settings)};"'),
            Record(f"_autodiscover._tcp.{domain}", "SRV", f"0 1 443 {host}"),
        ]

    def former_records(self, site: Site, domain: str) -> Sequence[FormerRecord]:
        """See ``Component``: those that lead to this host, and a policy's id as ``policy_id`` makes it."""
        if self.is_wanted(site):
            return []
        patterns = {"TXT": f"v=STSv1; id=[0-9a-f]{{{_ID}}};"}
        return [
            FormerRecord(name, kind, patterns.get(kind, re.escape(data)))
            for name, kind, data in self.records(site, domain)
        ]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        address = "127.0.0.1" if 4 in listening.versions(site.settings, platform) else "[::1]"
        ask = script("probe_web", address, site.settings.mail_hostname)
        advice = "systemctl status nginx; nginx -t says whether a site of yours is in its way"
        return [ServiceProbe("mail programs find their settings", ask, advice)]


def problem(found: Sequence[str]) -> str | None:
    """Return the error for the processes at its ports, or ``None``; an nginx there is the one."""
    others = [name for name in found if name != "nginx"]
    if not others:
        return None
    return f"mail_web: port 80 or 443 belongs to {', '.join(others)}; allowed: False, or nginx alone on them"


def policy_id(settings: Settings) -> str:
    """Return the id of the policy of MTA-STS, by which other servers notice a new one."""
    return hashlib.sha256(web_pages.mta_sts(settings).encode()).hexdigest()[:_ID]


def _values(site: Site, platform: Platform) -> dict[str, object]:
    """Return the values of the templates."""
    settings = site.settings
    oldest = settings.mail_tls_min_protocol
    return {
        "hostname": settings.mail_hostname,
        "hostname_regex": re.escape(settings.mail_hostname),
        "domain": _domain(settings),
        "labels": "|".join(LABELS),
        # what comes before the port in the address of a listener
        "addresses": ["[::]:" if version == 6 else "" for version in listening.versions(settings, platform)],
        "certificate": CERTIFICATE,
        "key": KEY,
        # a client gets the one that it knows
        "pairs": [(CERTIFICATE, KEY), *([RSA[:2]] if settings.mail_acme_rsa else [])],
        "directory": DIRECTORY,
        "acme": ACME_ROOT,
        "root": _ROOT,
        "state": STATE,
        "profile": f"{_ROOT}/mail.mobileconfig",
        "served": f"{STATE}/mail.mobileconfig",
        "protocols": "TLSv1.2 TLSv1.3" if oldest == "TLSv1.2" else oldest,
        "ciphers": ":!".join(("HIGH", *EXCLUDED_CIPHERS)),
    }


def _domain(settings: Settings) -> str:
    """Return the domain to name where the request is about none: a declared one, if there are any."""
    declared = [each.domain_name for each in settings.mail_domains]
    return settings.domain if not declared or settings.domain in declared else declared[0]


WEB = Web()
deploy = deployed(WEB)
