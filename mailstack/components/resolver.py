"""A resolver of this host's own: unbound, which validates DNSSEC. Postfix and rspamd ask it.

``/etc/resolv.conf`` stays as it is: it belongs to DHCP clients, systemd-resolved or Docker. What Postfix
reads is a copy in its chroot, to which Debian copies that file now and then; a unit of systemd undoes this.
"""

from __future__ import annotations

import hashlib
import ipaddress
from typing import TYPE_CHECKING

from mailstack.components import hardening, systemd
from mailstack.components.additions import QUEUE
from mailstack.components.component import Component, Requirement, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import ServiceProbe
from mailstack.endpoint import Endpoint
from mailstack.facts import unbound
from mailstack.facts.port_owners import NAME_SERVERS
from mailstack.facts.unbound import UNBOUND_CONFIGURATION
from mailstack.files import File
from mailstack.operations.units import Unit
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry

_ADDRESS = Endpoint("127.0.0.1", 53)
"""The one to which /etc/resolv.conf may point too. No other port: resolv.conf(5) knows none."""
_CONFIGURATION = "/etc/unbound/unbound.conf.d/mailstack.conf"
_RESOLV_CONF = "/etc/unbound/mailstack-resolv.conf"
_COPY = f"{QUEUE}/etc/resolv.conf"
_WATCH = "mailstack-resolver.path"


class Resolver(Component):
    """Install unbound, and make Postfix ask it.

    rspamd, deployed before or after, asks it too.
    """

    name = "resolver"
    title = "Resolver"
    switch = ("mail_resolver", True)
    reloads = ("unbound",)

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.settings.mail_resolver and site.here.has_mail

    def requirements(self, site: Site) -> Sequence[Requirement]:
        """See ``Component``: another server at its address would answer in its place, or not at all."""
        return [Requirement(NAME_SERVERS, problem), Requirement(UNBOUND_CONFIGURATION, unbound.problem)]

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``: the keys of the root are in a package of their own."""
        return ("unbound", "dns-root-data")

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        forwarders = site.settings.mail_resolver_forwarders
        configuration = render(
            "resolver/unbound.conf",
            address=_ADDRESS.host,
            forwarders=forwarders,
            asks_itself=any(ipaddress.ip_address(each).is_loopback for each in forwarders),
        )
        service = render("resolver/watch.service", directory=f"{QUEUE}/etc", ours=_RESOLV_CONF, copy=_COPY)
        # systemd reads both again if the one that runs has changed
        checksum = hashlib.sha256(service.encode()).hexdigest()
        watch = render("resolver/watch.path", copy=_COPY, checksum=checksum)
        return [
            *systemd.drop_in("unbound"),
            *hardening.drop_in(site.settings, "unbound"),
            File(_CONFIGURATION, configuration, activation="restart"),
            File(
                "/etc/systemd/system/unbound-resolvconf.service.d/mailstack.conf",
                render("resolver/resolvconf.conf", configuration=_CONFIGURATION),
                activation=None,
            ),
            File(
                _RESOLV_CONF,
                render("resolver/resolv.conf", address=_ADDRESS.host, copy=_COPY),
                activation=None,
            ),
            File(systemd.unit_file("mailstack-resolver.service"), service, activation=None),
            File(systemd.unit_file(_WATCH), watch, activation=None),
        ]

    def validate(self, site: Site) -> Sequence[str]:
        """See ``Component``."""
        return [script("validate_unbound")]

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        service = Unit(
            "unbound",
            program="/usr/sbin/unbound",
            drop_in=True,
            listens=(f"{_ADDRESS.host}:{_ADDRESS.port}",),
            answers=script("probe_resolver", _ADDRESS.host, "answers"),
        )
        return [service, Unit(_WATCH)]

    def links(self, site: Site) -> dict[str, Endpoint]:
        """See ``Component``."""
        return {"dns": _ADDRESS}

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        return [
            ServiceProbe(
                "the resolver answers",
                script("probe_resolver", _ADDRESS.host, "answers"),
                "systemctl restart unbound; journalctl -u unbound says why it does not answer",
            ),
            ServiceProbe(
                "the resolver validates",
                script("probe_resolver", _ADDRESS.host, "validates"),
                "is port 53 outward open, and the clock right? docs/resolver.md has what to do in networks"
                " without it",
            ),
            ServiceProbe(
                "Postfix asks the resolver",
                f"cmp {_RESOLV_CONF} {_COPY} >&2",
                "systemctl restart postfix copies the file into its chroot",
            ),
        ]


def problem(found: Sequence[str]) -> str | None:
    """Return the error for the processes at its address, or ``None``; an unbound there is the one."""
    others = [name for name in found if name != "unbound"]
    if not others:
        return None
    return (
        f"mail_resolver: port 53 of {_ADDRESS.host} belongs to {', '.join(others)}; allowed: False, "
        "if that is to answer Postfix and rspamd too, by /etc/resolv.conf"
    )


RESOLVER = Resolver()
deploy = deployed(RESOLVER)
