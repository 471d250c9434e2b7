"""MTA-STS (RFC 8461) for outgoing mail: the policies of other domains, which Debian's daemon asks for.

A domain that has both DANE and a policy is held to DANE. The daemon does not know DANE, so a service of
mailstack answers Postfix before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.components import systemd
from mailstack.components.component import Component, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import PostfixAddition, ServiceProbe
from mailstack.components.resolver import RESOLVER
from mailstack.files import File
from mailstack.operations.units import Unit
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry

_SERVICE, _PORT = "postfix-mta-sts-resolver", 8461
_DANE, _DANE_PORT = "mailstack-dane", 8462
_CACHE = "/var/lib/mta-sts/cache.db"
"""Not a state: what is lost is asked for again."""
_RESOLV_CONF = "/etc/mailstack-mta-sts-resolv.conf"
_RESOLVER_DROP_IN = f"/etc/systemd/system/{_SERVICE}.service.d/mailstack-resolver.conf"
_SCRIPT = "/usr/local/lib/mailstack/dane-first"


def _table(port: int) -> str:
    return f"socketmap:inet:127.0.0.1:{port}:postfix"


class MtaSts(Component):
    """Install a daemon that tells Postfix which servers must have a trusted certificate.

    ``postfix.deploy`` deploys both.
    """

    name = "mta_sts"
    title = "MTA-STS"
    switch = ("mail_smtp_mta_sts", True)
    requires = (RESOLVER,)
    beside = ("postfix",)
    reloads = (_SERVICE,)

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        settings = site.settings
        asked = settings.mail_smtp_mta_sts and settings.mail_resolver and not settings.mail_relayhost
        return asked and site.here.has_mail

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``: the daemon, with its system user, and the language of the other service."""
        return (_SERVICE, "python3")

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        configuration = render(
            "mta_sts/mta-sts-daemon.yml",
            port=_PORT,
            cache=_CACHE,
            reports=site.settings.mail_smtp_tls_reports,
        )
        resolver = site.link("dns").host
        drop_in = render("mta_sts/resolver.conf", resolver=_RESOLV_CONF)
        answers = render("mta_sts/dane-first", port=_DANE_PORT, resolver=resolver)
        return [
            *systemd.drop_in(_SERVICE, after=("unbound.service",)),
            File("/etc/mta-sts-daemon.yml", configuration, activation="restart"),
            File(_RESOLV_CONF, f"nameserver {resolver}\n", activation="restart"),
            File(_RESOLVER_DROP_IN, drop_in, activation="restart"),
            *systemd.script_service(site.settings, _DANE, _SCRIPT, answers, "mta_sts/dane-first.service"),
        ]

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        file = systemd.unit_file(f"{_DANE}.service")
        return [
            Unit(_SERVICE, drop_in=True, listens=(f"127.0.0.1:{_PORT}",), answers=_asks(_PORT)),
            Unit(_DANE, unit_file=file, listens=(f"127.0.0.1:{_DANE_PORT}",), answers=_asks(_DANE_PORT)),
        ]

    def postfix(self, site: Site, platform: Platform) -> PostfixAddition:
        """See ``Component``."""
        return PostfixAddition(tls_policies=[_table(_DANE_PORT), _table(_PORT)])

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        return [
            ServiceProbe(
                "Postfix can ask for policies of MTA-STS",
                _asks(_PORT),
                f"systemctl restart {_SERVICE}; meanwhile mail to other servers waits",
            ),
            ServiceProbe(
                "Postfix can ask whether DANE wins over MTA-STS",
                _asks(_DANE_PORT),
                f"systemctl restart {_DANE}; meanwhile mail to other servers waits",
            ),
        ]


def _asks(port: int) -> str:
    return script("probe_tls_policy", _table(port))


MTA_STS = MtaSts()
deploy = deployed(MTA_STS)
