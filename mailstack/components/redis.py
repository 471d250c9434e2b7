"""An instance of Redis for rspamd alone: what it has learned, and the greylisted senders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.components import systemd
from mailstack.components.component import Component, Site
from mailstack.components.converge import deployed
from mailstack.components.declarations import ServiceProbe, State
from mailstack.endpoint import Endpoint
from mailstack.facts.limits import SOCKET
from mailstack.files import File
from mailstack.operations.units import Unit
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailstack.facts.platform import Platform
    from mailstack.files import Entry

GROUP = "redis"
"""Its socket is for this group. A port, even on loopback, would be open to every user of the host."""
_SERVICE = "redis-server@mailstack"


class Redis(Component):
    """Install Redis, and run an instance for rspamd.

    Debian's own instance is left alone.
    """

    name = "redis"
    title = "Redis"
    switch = ("mail_rspamd", True)
    reloads = (_SERVICE,)

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.settings.mail_rspamd and site.here.has_mail

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``: the server, and ``redis-cli``."""
        return ("redis-server", "redis-tools")

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``: it has no reload, but does not need one for what is in its file."""
        text = render("redis/redis.conf", socket=SOCKET)
        path = "/etc/redis/redis-mailstack.conf"
        return [*systemd.drop_in(_SERVICE), File(path, text, "redis", "redis", 0o640, activation="restart")]

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``: one of Debian's services for several instances."""
        return [Unit(_SERVICE, program="/usr/bin/redis-server", drop_in=True, listens=(SOCKET,))]

    def links(self, site: Site) -> Mapping[str, Endpoint]:
        """See ``Component``."""
        return {"redis": Endpoint(SOCKET)}

    def state(self, site: Site) -> Sequence[State]:
        """See ``Component``: what the filter has learned from users."""
        return [State("/var/lib/redis/mailstack.rdb", "training")]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        ask = f"redis-cli -s {SOCKET} ping | grep -q PONG"
        advice = "systemctl restart redis-server@mailstack; its journal says why it does not answer"
        return [ServiceProbe("Redis answers", ask, advice)]


REDIS = Redis()
deploy = deployed(REDIS)
