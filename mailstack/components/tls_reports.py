"""Reports to other domains of how this server reached theirs by TLS (TLSRPT, RFC 8460).

Postfix 3.10 tells each session to a library, which sends a datagram. Debian has nothing that takes it, so a
service of mailstack does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.components import additions, systemd
from mailstack.components.component import Component, Requirement, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import PostfixAddition, ServiceProbe
from mailstack.facts.platform import PLATFORM
from mailstack.files import Directory
from mailstack.operations.units import Unit
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry

_NAME = "mailstack-tls-reports"
_SCRIPT = "/usr/local/lib/mailstack/tls-reports"
_DIRECTORY, _SOCKET = "mailstack", "mailstack/tlsrpt.sock"
"""Below Postfix's queue directory."""


class TlsReports(Component):
    """Install a service that reports to other domains each day how this server reached theirs by TLS.

    ``postfix.deploy`` does not deploy it: mail does not wait for it.
    """

    name = "tls_reports"
    title = "TLS reports"
    switch = ("mail_smtp_tls_reports", True)
    beside = ("postfix",)
    reloads = (_NAME,)

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.settings.mail_smtp_tls_reports and site.here.has_mail

    def requirements(self, site: Site) -> Sequence[Requirement]:
        """See ``Component``."""
        return [Requirement(PLATFORM, problem)]

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``."""
        return ("python3",)

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        hostname = site.settings.mail_hostname
        script = render("tls_reports/tls-reports", hostname=hostname, contact=f"postmaster@{hostname}")
        socket = render(
            "tls_reports/tls-reports.socket",
            socket=f"{additions.QUEUE}/{_SOCKET}",
            service=f"{_NAME}.service",
        )
        service = "tls_reports/tls-reports.service"
        return [
            Directory(f"{additions.QUEUE}/{_DIRECTORY}"),
            *systemd.unit_files(f"{_NAME}.socket", socket),
            *systemd.script_service(site.settings, _NAME, _SCRIPT, script, service, socket=f"{_NAME}.socket"),
        ]

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``: the socket stays while the service starts again."""
        service = Unit(_NAME, unit_file=systemd.unit_file(f"{_NAME}.service"))
        return [Unit(f"{_NAME}.socket"), service]

    def postfix(self, site: Site, platform: Platform) -> PostfixAddition:
        """See ``Component``."""
        if problem(platform):
            return PostfixAddition()
        return PostfixAddition(
            parameters={"smtp_tlsrpt_enable": "yes", "smtp_tlsrpt_socket_name": _SOCKET},
        )

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        runs = f"systemctl is-active --quiet {_NAME}.socket {_NAME}"
        advice = f"systemctl restart {_NAME}.socket {_NAME}; journalctl -u {_NAME} says why it ended"
        return [ServiceProbe("sessions by TLS are counted for reports", runs, advice)]


def problem(platform: Platform) -> str | None:
    """Return the error for a Postfix that reports nothing, or ``None``."""
    if platform.postfix not in ("3.7", "3.8"):
        return None
    postfix = f"Postfix {platform.postfix} of {platform.system.title()}"
    return f"mail_smtp_tls_reports: {postfix} can't report; allowed: False, or Debian 13"


TLS_REPORTS = TlsReports()
deploy = deployed(TLS_REPORTS)
