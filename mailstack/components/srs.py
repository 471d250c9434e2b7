"""SRS: what is forwarded leaves with a sender of this host, so that SPF (RFC 7208) passes at the next one.

Only mail of others that leaves again is rewritten: a table sends it by way of a second cleanup(8), on a port
of its own. With ``sender_canonical_maps`` for all mail, senders would be rewritten in mailboxes too.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from mailstack import secrets
from mailstack.backends import SRS_FILE, SRS_SECRET
from mailstack.components import hardening, postfix_sql, systemd
from mailstack.components.component import Component, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import PostfixAddition, ServiceProbe, State
from mailstack.engines import engine_of
from mailstack.files import File
from mailstack.operations.units import Unit
from mailstack.settings.postfix_master import MasterService
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry

_FORWARD, _REVERSE, _DETOUR = 10001, 10002, 10030
_TABLE = "foreign_senders.cf"

_OPEN = {
    "smtpd_client_restrictions": "",
    "smtpd_helo_restrictions": "",
    "smtpd_sender_restrictions": "",
    "smtpd_data_restrictions": "",
    "smtpd_relay_restrictions": "permit_mynetworks,reject",
    "smtpd_recipient_restrictions": "permit_mynetworks,reject",
    "smtpd_command_filter": "",
    "smtpd_tls_security_level": "none",
    "mynetworks": "127.0.0.0/8",
}
"""The mail was accepted when it came; and only this host may connect."""


class Srs(Component):
    """Install postsrsd, with which the Postfix of this host rewrites the senders of forwarded mail.

    ``postfix.deploy`` deploys both.
    """

    name = "srs"
    title = "SRS"
    switch = ("mail_srs", True)
    beside = ("postfix",)
    reloads = ("postsrsd",)

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.settings.mail_srs and site.here.has_mail

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``: the package makes the secret, which serves if the server has one mail host."""
        return ("postsrsd",)

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        settings = site.settings
        defaults = render(
            "srs/postsrsd",
            domain=settings.mail_hostname,
            secret=SRS_FILE,
            forward=_FORWARD,
            reverse=_REVERSE,
        )
        lookups = engine_of(settings).lookups
        query = lookups.foreign_senders(f"srs:[127.0.0.1]:{_DETOUR}", settings.local_domains)
        comment = "sender_dependent_default_transport_maps: mail of others that leaves again takes a detour"
        table = postfix_sql.sql_cf(settings, site.endpoints, comment, query)
        # a bounce may come in on another host than the mail that left
        secret = f"{secrets.placeholder(SRS_SECRET)}\n"
        shared = [File(SRS_FILE, secret, mode=0o600, activation="restart")] if site.backends else []
        return [
            *systemd.drop_in("postsrsd"),
            *hardening.drop_in(settings, "postsrsd"),
            *shared,
            File("/etc/default/postsrsd", defaults, activation="restart"),
            File(f"{postfix_sql.SQL_DIRECTORY}/{_TABLE}", table, "root", "postfix", 0o640, activation=None),
        ]

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        listens = (str(_FORWARD), str(_REVERSE))
        return [Unit("postsrsd", program="/usr/sbin/postsrsd", drop_in=True, listens=listens)]

    def postfix(self, site: Site, platform: Platform) -> PostfixAddition:
        """See ``Component``."""
        return PostfixAddition(
            parameters={
                # the daemon is asked about such addresses alone, so that other mail never waits for it
                "recipient_canonical_maps": (
                    f"pipemap:{{regexp:{{{{/^(SRS[01][-+=].*)/ $$1}}}}, tcp:127.0.0.1:{_REVERSE}}}"
                ),
                "recipient_canonical_classes": "envelope_recipient",
            },
            services=_services(),
            sender_transports=[f"{site.settings.map_type}:$config_directory/sql/{_TABLE}"],
        )

    def state(self, site: Site) -> Sequence[State]:
        """See ``Component``: without it, no bounce of mail that was forwarded finds its way back."""
        return [State(SRS_FILE, "secrets")]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        ask = f"postmap -q probe@srs.invalid tcp:127.0.0.1:{_FORWARD} | grep -q ^SRS0="
        advice = "systemctl restart postsrsd; meanwhile forwarded mail waits"
        return [ServiceProbe("postsrsd rewrites senders", ask, advice)]


@cache  # for many hosts, as the check of each service takes time
def _services() -> tuple[MasterService, ...]:
    # no limit but that of the first time
    out = {
        "syslog_name": "postfix/srs",
        "smtp_tls_security_level": "none",
        "smtp_tls_policy_maps": "",
        "smtp_sasl_auth_enable": "no",
        "smtp_send_xforward_command": "yes",
        "smtp_header_checks": "",
        "smtp_generic_maps": "",
        "smtp_dns_support_level": "disabled",
    }
    back = _OPEN | {
        "syslog_name": "postfix/srs",
        "smtpd_authorized_xforward_hosts": "127.0.0.0/8",
        "message_size_limit": "0",
        "cleanup_service_name": "srs-cleanup",
    }
    cleanup = {
        "syslog_name": "postfix/srs",
        "sender_canonical_maps": f"tcp:127.0.0.1:{_FORWARD}",
        "sender_canonical_classes": "envelope_sender",
        "virtual_alias_maps": "",
        "message_size_limit": "0",
    }
    return (
        MasterService(name="srs", type="unix", chroot=True, command="smtp", options=out),
        MasterService(
            name=f"127.0.0.1:{_DETOUR}",
            type="inet",
            private=False,
            chroot=True,
            command="smtpd",
            options=back,
        ),
        MasterService(
            name="srs-cleanup",
            type="unix",
            private=False,
            chroot=True,
            maxproc=0,
            command="cleanup",
            options=cleanup,
        ),
    )


SRS = Srs()
deploy = deployed(SRS)
