"""ClamAV: rspamd asks it whether a message contains a virus."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.components import systemd
from mailstack.components.component import Component, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import ServiceProbe
from mailstack.endpoint import Endpoint
from mailstack.files import File
from mailstack.operations.units import Unit
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry

_SOCKET = "/run/clamav/clamd.ctl"
"""Debian's; its AppArmor profile admits no other, and no other configuration file."""
_SERVICE, _UPDATES = "clamav-daemon", "clamav-freshclam"
_START = (
    '/bin/sh -c \'until find /var/lib/clamav -name "*.c[lv]d" -o -name "*.[hln]db" | grep -q .; '
    "do sleep 5; done; exec /usr/sbin/clamd --foreground=true'"
)


class Clamav(Component):
    """Install ClamAV, whose signatures it fetches and updates.

    rspamd, deployed before or after, passes messages to it.
    """

    name = "clamav"
    title = "ClamAV"
    switch = ("mail_antivirus", True)
    reloads = (_SERVICE,)

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.settings.mail_antivirus and site.here.has_mail

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``."""
        return (_SERVICE, _UPDATES)

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        # Postfix counts the message as it comes; what rspamd hands over has one more header field or two
        stream = site.settings.mail_message_size_limit + 1024 * 1024
        text = render("clamav/clamd.conf", socket=_SOCKET, stream=stream)
        return [
            *systemd.drop_in(_SERVICE, start=_START),
            File(
                f"/etc/systemd/system/{_SERVICE}.service.d/mailstack-wait.conf",
                render("clamav/wait.conf"),
                activation=None,
            ),
            File("/etc/clamav/clamd.conf", text, "root", "root", activation="restart"),
        ]

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``: without signatures as yet, it does not listen."""
        return [Unit(_UPDATES), Unit(_SERVICE, drop_in=True)]

    def links(self, site: Site) -> Mapping[str, Endpoint]:
        """See ``Component``."""
        return {"antivirus": Endpoint(_SOCKET)}

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        advice = (
            f"it waits for its signatures: journalctl -u {_UPDATES} says whether they came; then"
            f" systemctl restart {_SERVICE}"
        )
        return [ServiceProbe("ClamAV answers", script("probe_clamav", _SOCKET), advice)]


CLAMAV = Clamav()
deploy = deployed(CLAMAV)
