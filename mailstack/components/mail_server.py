"""A whole mail server: each component, on the hosts that have its role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack import hosts, last_deploy
from mailstack.components.acme import ACME
from mailstack.components.backup import BACKUP
from mailstack.components.clamav import CLAMAV
from mailstack.components.component import site_of
from mailstack.components.converge import converge
from mailstack.components.dovecot import DOVECOT
from mailstack.components.fail2ban import FAIL2BAN
from mailstack.components.firewall import FIREWALL
from mailstack.components.mariadb import MARIADB
from mailstack.components.metrics import METRICS
from mailstack.components.mta_sts import MTA_STS
from mailstack.components.postfix import POSTFIX
from mailstack.components.postgresql import POSTGRESQL
from mailstack.components.resolver import RESOLVER
from mailstack.components.rspamd import RSPAMD
from mailstack.components.srs import SRS
from mailstack.components.tls_reports import TLS_REPORTS
from mailstack.components.web import WEB
from mailstack.components.webmail import WEBMAIL
from mailstack.deploys import deploy as pyinfra_deploy
from mailstack.operations.sql import deploying

if TYPE_CHECKING:
    from mailstack.components.component import Component, Site
    from mailstack.settings import Settings

COMPONENTS = (
    POSTGRESQL,
    MARIADB,
    DOVECOT,
    RESOLVER,
    CLAMAV,
    RSPAMD,
    SRS,
    MTA_STS,
    TLS_REPORTS,
    POSTFIX,
    WEB,
    WEBMAIL,
    FIREWALL,
    ACME,
    FAIL2BAN,
    METRICS,
    BACKUP,
)
"""The components, each after those that it needs; required ones are added."""


def wanted(site: Site) -> list[Component]:
    """Return the components of a host, without those that others require."""
    return [component for component in COMPONENTS if component.is_wanted(site)]


@pyinfra_deploy("Mail server")
def deploy(settings: Settings) -> None:
    """Deploy the host's roles by its inventory groups: ``db``, ``mx``, ``imap``, ``proxy``, or all of them.

    Accounts are deployed with the database, so that a change of Dovecot's or Postfix's settings does not read
    them again.
    """
    deploying(settings)  # later account operations use these settings, on every host
    last_deploy.announced(settings)
    site = site_of(settings, hosts.checked(settings))
    converge(settings, wanted(site), whole=True)
    if settings.mail_dns_check and site.here.has_mail:
        from mailstack import dns  # it takes time to import, and most runs do not need it

        dns.warn(settings)
    if settings.mail_verify:
        from mailstack.verify import at_the_end

        at_the_end(settings)
