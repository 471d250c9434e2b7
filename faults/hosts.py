"""The server that faults happen to: everything that mailstack deploys for mail, and a DNS of its own."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.support import ca, dns, logins, trust
from tests.support.trust import Protected
from tests.targets import images, networks
from tests.targets.containers import Target
from tests.targets.shell import docker

KEEP = os.environ.get("MAILSTACK_KEEP") == "1"


def data(**more: Any) -> dict[str, Any]:
    """Return its settings: with the web server, and without limits that one client would reach."""
    limits = ("connection_rate", "connection_count", "message_rate", "recipient_rate", "auth_rate")
    return trust.data(
        mail_web=True,
        # in no DNS but that of faults/acme.py: the certificate is the one that the deploy makes itself
        mail_acme=True,
        mail_acme_email="admin@example.net",
        mail_acme_server=ca.DIRECTORY,
        mail_max_userip_connections=1000,
        **{f"mail_smtpd_client_{limit}_limit": 0 for limit in limits},
        **more,
    )


def authority(host: Target) -> Target:
    """Return the CA beside a server; `ca.server` makes it."""
    return Target(f"{host.name}-ca", 13, host.network, hostname=ca.NAME)


def without_services(host: Target, script: str) -> None:
    """Run a script of sh(1) while no service but systemd's own runs."""
    allow = "mkdir -p $dir; printf '[Unit]\\nAllowIsolate=yes\\n' > $dir/faults.conf; systemctl daemon-reload"
    host.exec(
        f"set -e; dir=/run/systemd/system/basic.target.d; {allow}; systemctl isolate basic.target; "
        f"{script}; systemctl isolate default.target",
        timeout=300,
    )


class Servers:
    """Fresh copies of one deployed server, one at a time."""

    def __init__(self, debian: int) -> None:
        name, network = f"{networks.TEST_NAME}-faults", networks.test(debian)
        self._image = f"{name}:{debian}"
        self._dns = f"{name}-dns-{debian}"
        self._host = Target(f"{name}-{debian}", debian, network)

    def deploy(self) -> None:
        """Deploy a bare host, and keep it as the image that others start from.

        With `MAILSTACK_KEEP=1` the image outlives the suite, and the next one reuses it.
        """
        if KEEP and images.exists(self._image):
            return
        host = self._host.create()
        host.pyinfra("-y", "deploy.py", data=data(), timeout=900).check()
        # for faults/clock.c: later the host finds no mirror, as it asks a DNS of its own
        host.exec("apt-get install -qy --no-install-recommends gcc libc6-dev", timeout=300)
        logins.make_quick(host)
        trust.wait_for_keys(host)
        # by default a stranger waits for minutes
        host.write("/etc/rspamd/override.d/greylist.conf", b"timeout = 1s;\n")
        host.stop()
        host.commit(self._image)
        host.remove()

    def fresh(self) -> Protected:
        """Return a server as deployed, instead of the one before."""
        resolver = dns.server(self._dns, self._host.network, keep=True)
        host = self._host.create(self._image)
        dns.use(host, resolver)
        both = Protected(host, resolver)
        both.serve("example.org", "example.com")
        return both

    def remove(self) -> None:
        """Remove the server, its DNS and its image."""
        self._host.remove()
        authority(self._host).remove()
        docker("rm", "--force", "--volumes", self._dns, check=False)
        if not KEEP:
            docker("image", "rm", self._image, check=False)
        docker("network", "rm", self._host.network.name, check=False)


@contextmanager
def servers(debian: int) -> Iterator[Servers]:
    """Yield what makes servers of a Debian; everything is removed at the end."""
    made = Servers(debian)
    try:
        made.deploy()
        yield made
    finally:
        made.remove()
