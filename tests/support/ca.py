"""The CA of a test: Pebble, which looks at the names of a certificate as Let's Encrypt does."""

from __future__ import annotations

import re

from tests.support import clients
from tests.targets import images
from tests.targets.containers import Target
from tests.targets.networks import Network

NAME = "ca.example"
DIRECTORY = f"https://{NAME}:14000/dir"
MONTHS = 90 * 24 * 3600
_CONFIGURATION = "/etc/pebble/pebble.json"


def server(name: str, network: Network, *, keep: bool = False) -> Target:
    """Return the CA, which does not run as yet.

    `keep` reuses a running server.
    """
    target = Target(name, 13, network, hostname=NAME)
    return target if keep and target.running() else target.create(images.ca_image())


def start(ca: Target, dns: Target, validity: int = MONTHS) -> None:
    """Start it, or start it again: then it knows no account and no certificate of before.

    + validity: of the certificates that it makes, in seconds
    """
    text = ca.read(_CONFIGURATION).decode()
    text = re.sub(r'("certificateValidityPeriod": )\d+', rf"\g<1>{validity}", text)
    ca.write(_CONFIGURATION, text.encode())
    ca.write("/etc/pebble/environment", f"DNS={dns.ip}:53\n".encode())
    ca.exec("systemctl restart pebble")
    clients.eventually(lambda: ca.exec("ss -tlnH sport = :14000").stdout, "the CA does not listen", 60)


def introduce(target: Target, ca: Target) -> None:
    """Make a host find the CA, and trust its web server, as an administrator with an own CA does."""
    target.write("/usr/local/share/ca-certificates/tests.crt", ca.read("/etc/pebble/ca.pem"))
    target.exec(
        f"update-ca-certificates; sed '/{NAME}$/d' /etc/hosts > /tmp/hosts; "
        f"echo '{ca.ip} {NAME}' >> /tmp/hosts; cat /tmp/hosts > /etc/hosts"
    )
