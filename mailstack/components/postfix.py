"""Postfix: mail from strangers on port 25, from users on 465 and 587, and to other servers."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from pyinfra.api.exceptions import OperationValueError

from mailstack.components import (
    additions,
    former_database,
    listening,
    postfix_config,
    postfix_recovery,
    postfix_sql,
    postfix_tables,
)
from mailstack.components.component import Component, Requirement, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import Jail, Port, Record, ServiceProbe, State
from mailstack.components.passwords import PASSWORDS_OF_DATABASE
from mailstack.components.postfix_services import ports
from mailstack.components.replication import REPLICATION
from mailstack.components.tls import TLS
from mailstack.facts.exim_queue import EXIM_QUEUE, name_exim_queue
from mailstack.facts.platform import PLATFORM, RELEASES
from mailstack.operations.units import Unit
from mailstack.settings.postfix_parameters import unknown_parameters
from mailstack.shell import script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry
    from mailstack.settings.postfix_master import MasterService

_NAMES = {"25": "smtp", "465": "submissions", "587": "submission"}
"""The names of the ports in IANA's registry."""


_LOGIN = r"^\S+ postfix/\S+\[\d+\]: \w+: client=[^][]*\[<ADDR>\], <F-GOOD>sasl_method=</F-GOOD>"
"""The line about a message from a user; Dovecot writes those about wrong logins."""


class Postfix(Component):
    """Install and run Postfix.

    Mail for the domains in the database goes to a Dovecot on this host, deployed before or after, which also
    checks logins.
    """

    name = "postfix"
    title = "Postfix"
    requires = (TLS, PASSWORDS_OF_DATABASE, REPLICATION)
    reloads = ("postfix",)

    def needs(self, site: Site) -> Sequence[Component]:
        """See ``Component``: without the other end of what they add, mail would wait."""
        added = {component: component.postfix(site, RELEASES[-1]) for component in site.components}
        needed = (
            each
            for each, addition in added.items()
            if addition.milters or addition.sender_transports or addition.tls_policies
        )
        return [*self.requires, *needed]

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.here.has_mail

    def requirements(self, site: Site) -> Sequence[Requirement]:
        """See ``Component``."""
        return [
            Requirement(PLATFORM, lambda platform: listening.problem(site.settings, platform)),
            *former_database.of_mail_host(site),
            Requirement(EXIM_QUEUE, name_exim_queue),
        ]

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``.

        Raises ``OperationValueError`` if the settings have a parameter that this version lacks.
        """
        if unknown := unknown_parameters(site.settings, platform.postfix):
            raise OperationValueError(
                f"mail_postfix_main: Postfix {platform.postfix} has no {', '.join(unknown)}"
            )
        # the mechanisms of the SASL client are in a separate package
        sasl = ("libsasl2-modules",) if postfix_tables.passwords(site.settings) else ()
        return ("postfix", f"postfix-{site.settings.db_driver}", *sasl)

    def before_packages(self, site: Site) -> str:
        """See ``Component``: with this, the package does not use the host's own name."""
        return "\n".join([script("keep"), script("before_postfix", site.settings.mail_hostname)])

    def secrets(self, site: Site) -> Mapping[str, str]:
        """See ``Component``."""
        passwords = postfix_tables.passwords(site.settings)
        return {name: password.get_secret_value() for name, password in passwords.items()}

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        return postfix_config.files(site, platform)

    def validate(self, site: Site) -> Sequence[str]:
        """See ``Component``."""
        return [script("validate_postfix")]

    def restart_if(self, site: Site) -> Mapping[str, str]:
        """See ``Component``."""
        return {"postfix": script("restart_if_postfix")}

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        process, name = postfix_config.unit_name(platform), "postfix"
        postfix = Unit(
            name,
            process if process != name else None,
            reload="postfix reload >/dev/null 2>&1",
            program="/usr/lib/postfix/sbin/master",
            pid_file=postfix_config.LOCK,
            drop_in=True,
            listens=ports(_services(site, platform)),
            replaces=postfix_config.INSTANCE if process == name else None,
        )
        return [postfix, postfix_recovery.unit(process)]

    def ports(self, site: Site) -> Sequence[Port]:
        """See ``Component``."""
        numbers = ports(_services(site, RELEASES[-1]), loopback=False)
        return [Port(int(port), _NAMES.get(port, port)) for port in numbers]

    def jails(self, site: Site, platform: Platform) -> Sequence[Jail]:
        """See ``Component``."""
        unit = f"_SYSTEMD_UNIT={postfix_config.unit_name(platform)}.service"
        services = ("submission", "submissions")
        journal = [f"{unit} SYSLOG_IDENTIFIER=postfix/{service}/smtpd" for service in services]
        return [Jail(journal, [port.number for port in self.ports(site)], logins=[_LOGIN])]

    def state(self, site: Site) -> Sequence[State]:
        """See ``Component``: also the mailboxes of system users."""
        return [State(additions.QUEUE, "queue"), State("/var/mail", "mail")]

    def records(self, site: Site, domain: str) -> Sequence[Record]:
        """See ``Component``: RFC 5321, 5.1, RFC 7208, RFC 6186, RFC 8314, 5.1, and RFC 8460, 3."""
        if not site.here.has_role("mx"):
            return []
        settings = site.settings
        host = f"{settings.mail_hostname}."
        spf = " ".join(["v=spf1 mx", *settings.mail_spf_mechanisms, settings.mail_spf_all])
        reports = quote(settings.mail_tls_reports_to or f"postmaster@{domain}", safe="@.-_~")
        return [
            Record(domain, "MX", f"10 {host}"),
            Record(domain, "TXT", f'"{spf}"'),
            Record(f"_submissions._tcp.{domain}", "SRV", f"0 1 465 {host}"),
            Record(f"_submission._tcp.{domain}", "SRV", f"5 1 587 {host}"),
            Record(f"_smtp._tls.{domain}", "TXT", f'"v=TLSRPTv1; rua=mailto:{reports}"'),
        ]

    def host_records(self, site: Site) -> Sequence[Record]:
        """See ``Component``: the host's own name is the domain of bounces, and of forwarded mail (SRS)."""
        return [Record(site.settings.mail_hostname, "TXT", '"v=spf1 a -all"')]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        table = f"{site.settings.map_type}:{postfix_sql.SQL_DIRECTORY}/virtual_domains.cf"
        asks = ServiceProbe(
            "Postfix can ask the database",
            script("probe_postfix_lookup", table),
            "mailstack.accounts.list says whether the database answers; pyinfra INVENTORY deploy.py restores"
            " the tables and the rights of the database",
        )
        runs = ServiceProbe(
            "Postfix runs",
            "postfix status",
            "systemctl start postfix; journalctl -u 'postfix*' says why it ended",
        )
        return [runs, asks]


def _services(site: Site, platform: Platform) -> list[MasterService]:
    return postfix_config.services_of(site.settings, additions.postfix(site, platform))


POSTFIX = Postfix()
deploy = deployed(POSTFIX)
