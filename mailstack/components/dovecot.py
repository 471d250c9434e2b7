"""Dovecot: IMAP, optionally POP3, delivery by LMTP, and the logins of Postfix."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.components import additions, dovecot_config, dovecot_sieve, former_database, listening
from mailstack.components.backends import BACKENDS
from mailstack.components.component import Component, Requirement, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import (
    Jail,
    Port,
    PostfixAddition,
    Record,
    ServiceProbe,
    State,
)
from mailstack.components.passwords import PASSWORDS_OF_DATABASE
from mailstack.components.replication import REPLICATION
from mailstack.components.tls import TLS
from mailstack.endpoint import Endpoint
from mailstack.engines import engine_of
from mailstack.facts.platform import PLATFORM
from mailstack.operations.kept_secrets import Key
from mailstack.operations.units import Unit
from mailstack.operations.users import Number, SystemUser
from mailstack.shell import script

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry
    from mailstack.operations.created import Created

VMAIL = 5000
"""The ids of the system user and group ``vmail`` on a host without them."""

_SEARCH = {"2.3": "dovecot-fts-xapian", "2.4": "dovecot-flatcurve"}
"""The package for full-text search without a separate server on each Debian; both use Xapian."""

_GUESS = (
    r"^\S+ dovecot\[\d+\]: auth: (?:lua: )?wrong login: user=<<F-USER>[^>]*</F-USER>>, "
    r"password=<F-HASH>[0-9a-f]+</F-HASH>, rip=<ADDR>$"
)
_LOGIN = (
    r"^\S+ dovecot\[\d+\]: [a-z0-9]+-login: <F-GOOD>Log(?:in|ged in)</F-GOOD>: user=<[^>]*>, .*\brip=<ADDR>,"
)

# deliveries meanwhile get "Shutting down", and wait
_RELOAD = "systemctl reload dovecot && { systemctl restart --no-block mailstack-flush || :; }"


class Dovecot(Component):
    """Install and run Dovecot.

    A Postfix on this host, deployed before or after, finds the sockets for LMTP, logins and quotas in its own
    directory. For other programs LMTP listens on ``/run/dovecot/lmtp``.
    """

    name = "dovecot"
    title = "Dovecot"
    requires = (TLS, PASSWORDS_OF_DATABASE, REPLICATION, BACKENDS)
    reloads = ("dovecot",)

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.here.has_mail

    def requirements(self, site: Site) -> Sequence[Requirement]:
        """See ``Component``."""
        user = vmail(site)
        return [
            Requirement(PLATFORM, lambda platform: listening.problem(site.settings, platform)),
            *former_database.of_mail_host(site),
            Requirement(user.question, user.problem),
        ]

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``."""
        settings = site.settings
        names = ["dovecot-imapd", "dovecot-lmtpd", f"dovecot-{settings.db_driver}"]
        if settings.mail_pop3:
            names.append("dovecot-pop3d")
        if settings.mail_full_text_search:
            names.append(_SEARCH[platform.dovecot])
        if settings.mail_sieve:
            names += dovecot_sieve.PACKAGES
        if settings.mail_password_upgrade:
            names += engine_of(settings).client_packages
        if settings.mail_password_upgrade or dovecot_config.writes_guesses(settings, platform):
            names.append("dovecot-auth-lua")
        return names

    def creates(self, site: Site, platform: Platform) -> Sequence[Created]:
        """See ``Component``."""
        key = Key(dovecot_config.GUESSES_KEY, "dovecot")
        return [vmail(site), *([key] if dovecot_config.writes_guesses(site.settings, platform) else [])]

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        return dovecot_config.files(site, platform)

    def validate(self, site: Site) -> Sequence[str]:
        """See ``Component``."""
        return [script("validate_dovecot", *dovecot_sieve.scripts(site.settings))]

    def restart_if(self, site: Site) -> Mapping[str, str]:
        """See ``Component``."""
        return {"dovecot": script("restart_if_dovecot")}

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        sockets = tuple(site.link(name).host for name in ("sasl", "lmtp"))
        return [
            Unit(
                "dovecot",
                program="/usr/sbin/dovecot",
                pid_file="/run/dovecot/master.pid",
                drop_in=True,
                reload=_RELOAD,
                listens=sockets,
            )
        ]

    def links(self, site: Site) -> Mapping[str, Endpoint]:
        """See ``Component``: deliveries, logins, and quotas."""
        return {
            "lmtp": Endpoint(f"{dovecot_config.LINKS}/dovecot-lmtp"),
            "sasl": Endpoint(f"{dovecot_config.LINKS}/auth"),
            "quota-status": Endpoint(f"{dovecot_config.LINKS}/quota-status"),
        }

    def postfix(self, site: Site, platform: Platform) -> PostfixAddition:
        """See ``Component``."""
        at = additions.at(site.link("quota-status"))
        # if it does not answer, the mail is accepted
        ask = f"check_policy_service {{ {at}, default_action=DUNNO, timeout=10s, try_limit=1 }}"
        return PostfixAddition(quota_checks=[ask])

    def ports(self, site: Site) -> Sequence[Port]:
        """See ``Component``."""
        ports = [Port(143, "imap"), Port(993, "imaps")]
        if site.settings.mail_pop3:
            ports += [Port(110, "pop3"), Port(995, "pop3s")]
        if site.settings.mail_sieve:
            ports.append(Port(4190, "sieve"))
        return ports

    def jails(self, site: Site, platform: Platform) -> Sequence[Jail]:
        """See ``Component``: it checks the logins of Postfix too."""
        ports = [port.number for port in self.ports(site)]
        return [Jail(["_SYSTEMD_UNIT=dovecot.service"], ports, [_GUESS], [_LOGIN])]

    def state(self, site: Site) -> Sequence[State]:
        """See ``Component``."""
        return [State(site.settings.mail_home_root, "mail")]

    def records(self, site: Site, domain: str) -> Sequence[Record]:
        """See ``Component``: RFC 6186 and RFC 8314, 5.1; port 0 and the root mean no service."""
        if not (site.here.has_role("mx") or site.here.has_role("proxy")):
            return []  # clients go to the hosts that know all users
        host = f"{site.settings.mail_hostname}."
        pop3s = f"10 1 995 {host}" if site.settings.mail_pop3 else "0 0 0 ."
        return [
            Record(f"_imaps._tcp.{domain}", "SRV", f"0 1 993 {host}"),
            Record(f"_imap._tcp.{domain}", "SRV", "0 0 0 ."),
            Record(f"_pop3s._tcp.{domain}", "SRV", pop3s),
            Record(f"_pop3._tcp.{domain}", "SRV", "0 0 0 ."),
        ]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        advice = (
            "systemctl status dovecot; if it runs: mailstack.accounts.list says whether the database answers,"
            " and journalctl -u dovecot why Dovecot can't ask it"
        )
        return [ServiceProbe("Dovecot finds users in the database", script("probe_dovecot"), advice)]


def vmail(site: Site) -> SystemUser:
    """Return the system user of all mailboxes."""
    settings = site.settings
    uid = Number("mail_vmail_uid", settings.mail_vmail_uid, VMAIL)
    gid = Number("mail_vmail_gid", settings.mail_vmail_gid, VMAIL)
    return SystemUser("vmail", uid, gid, settings.mail_home_root)


DOVECOT = Dovecot()
deploy = deployed(DOVECOT)
