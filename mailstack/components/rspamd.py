"""rspamd: a milter of Postfix that signs the mail of users, and checks and filters that of strangers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from mailstack.components import dkim, dmarc_reports, junk, rspamd_config, user_limits
from mailstack.components.clamav import CLAMAV
from mailstack.components.component import Component, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import (
    DovecotAddition,
    PostfixAddition,
    Record,
    ServiceProbe,
    State,
)
from mailstack.components.dovecot import vmail
from mailstack.components.redis import REDIS
from mailstack.components.resolver import RESOLVER
from mailstack.endpoint import Endpoint
from mailstack.facts.dkim import KEYS
from mailstack.operations.units import Unit
from mailstack.operations.web_password import WebPassword
from mailstack.shell import script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry
    from mailstack.operations.created import Created


class Rspamd(Component):
    """Install rspamd, with DKIM keys for the domains in the database.

    The Postfix of this host passes all mail through it, and its postmap(1) asks the database for domains and
    limits. ``postfix.deploy`` deploys both.
    """

    name = "rspamd"
    title = "rspamd"
    switch = ("mail_rspamd", True)
    requires = (REDIS, RESOLVER, CLAMAV)
    beside = ("postfix",)
    reloads = ("rspamd",)

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.settings.mail_rspamd and site.here.has_mail

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``."""
        return ("rspamd",)

    def creates(self, site: Site, platform: Platform) -> Sequence[Created]:
        """See ``Component``: Dovecot's user, who hands over what is to be learned, and a password."""
        password = WebPassword(rspamd_config.WEB_PASSWORD, rspamd_config.HASHED_PASSWORD, self.name)
        return [vmail(site), password]

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        reports = dmarc_reports.files(site)
        others = (*dkim.files(site), *user_limits.files(site), *reports, *junk.files())
        return [*rspamd_config.files(site), *others]

    def validate(self, site: Site) -> Sequence[str]:
        """See ``Component``."""
        return [script("validate_rspamd")]

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        web = str(rspamd_config.WEB.port)
        listens = (rspamd_config.MILTER.host, web, rspamd_config.CONTROLLER)
        return [
            Unit("rspamd", program="/usr/bin/rspamd", drop_in=True, listens=listens),
            dkim.unit(),
            user_limits.unit(),
            *dmarc_reports.units(site.settings),
        ]

    def links(self, site: Site) -> Mapping[str, Endpoint]:
        """See ``Component``."""
        return {"milter": rspamd_config.MILTER}

    def postfix(self, site: Site, platform: Platform) -> PostfixAddition:
        """See ``Component``: Postfix's own bounces are signed, too."""
        return PostfixAddition({"internal_mail_filter_classes": "bounce"}, milters=["milter"])

    def dovecot(self, site: Site, platform: Platform) -> DovecotAddition:
        """See ``Component``: spam goes to the folder Junk, and is learned where a user moves it."""
        return junk.dovecot(platform.dovecot) if site.settings.mail_sieve else DovecotAddition()

    def state(self, site: Site) -> Sequence[State]:
        """See ``Component``: with other keys, the records in the DNS would be wrong."""
        return [State(KEYS, "secrets")]

    def records(self, site: Site, domain: str) -> Sequence[Record]:
        """See ``Component``: RFC 7489. The records of the keys are on the host, see the fact ``DkimKeys``."""
        policy = site.settings.mail_dmarc_policy
        reader = site.settings.mail_dmarc_reports_to or f"postmaster@{domain}"
        uri = f"mailto:{quote(reader, safe='@.-_~')}"
        records = [Record(f"_dmarc.{domain}", "TXT", f'"v=DMARC1; p={policy}; sp={policy}; rua={uri}"')]
        of_reader = reader.partition("@")[2]
        if of_reader != domain:  # RFC 7489, 7.1: the reader agrees
            records.append(Record(f"{domain}._report._dmarc.{of_reader}", "TXT", '"v=DMARC1"'))
        return records

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        answers = "timeout 10 rspamadm control stat >/dev/null"
        keys = script("probe_dkim", KEYS, site.settings.db_driver, site.settings.mail_hostname)
        return [
            ServiceProbe(
                "rspamd runs",
                answers,
                "systemctl restart rspamd; meanwhile mail waits; rspamadm configtest names faults",
            ),
            ServiceProbe(
                "every domain has its DKIM keys, and rspamd can read them",
                keys,
                "they come within seconds after a domain: journalctl -u mailstack-dkim says why not",
            ),
        ]


RSPAMD = Rspamd()
deploy = deployed(RSPAMD)
