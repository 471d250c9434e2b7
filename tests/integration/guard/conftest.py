"""A server that guards itself: with fail2ban, and with jails and rules that somebody else has made before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import KEEP
from tests.integration.conftest import made_once
from tests.support import clients, sample_accounts
from tests.support.guessing import Guesser
from tests.targets import images, networks
from tests.targets.containers import Target
from tests.targets.networks import Network

#: The guesses after which an address is shut out here.
LIMIT = 5

#: A jail that an administrator has made before.
THEIRS = {
    "jail.d": "[theirs]\nenabled = true\nbackend = polling\nlogpath = /srv/theirs\nfilter = theirs\n"
    "maxretry = 1\nbanaction = nftables[type=multiport]\nport = 8080\n",
    "filter.d": "[Definition]\nfailregex = ^ they shut out <ADDR>$\n",
}
THEIR_RULES = """\
nft add table inet theirs
nft add chain inet theirs input '{ type filter hook input priority 5; }'
nft add rule inet theirs input tcp dport 8080 counter accept
"""


def data(**more: Any) -> dict[str, Any]:
    """Return the host data of that server."""
    return sample_accounts.data(mail_pop3=True, mail_fail2ban=True, mail_fail2ban_guesses=LIMIT, **more)


@pytest.fixture(scope="session")
def guarding(network: Network, debian: int, deployed: str) -> str:
    """Return the image of that server; the first worker makes it."""

    def deploy(host: Target) -> None:
        host.create(deployed)
        host.exec("touch /srv/theirs; mkdir -p /etc/fail2ban/jail.d /etc/fail2ban/filter.d")
        for folder, text in THEIRS.items():
            host.write(f"/etc/fail2ban/{folder}/theirs.conf", text.encode())
        host.pyinfra("-y", "deploy.py", data=data(), timeout=900).check()

    host = Target(f"{networks.WORKER_NAME}-guarding-{debian}", debian, network)
    return made_once(f"guarding:{debian}-postgresql", host, deploy)


@pytest.fixture(scope="session")
def guarded(network: Network, debian: int, guarding: str) -> Iterator[Target]:
    """Yield that server, which all tests of this folder share: each guesses from addresses of its own."""
    server = Target(f"{networks.WORKER_NAME}-guarded-{debian}", debian, network)
    if not (KEEP and server.running()):
        server.create(guarding)
    server.exec(THEIR_RULES)
    if KEEP:
        server.pyinfra("-y", "deploy.py", data=data(), timeout=900).check()
        server.exec("rm -rf /var/lib/fail2ban/mailstack/*; systemctl restart fail2ban")
        unban = "fail2ban-client ping && fail2ban-client unban --all"
        clients.eventually(lambda: not server.exec(unban, check=False).returncode, "fail2ban is away", 60)
    yield server
    if not KEEP:
        server.remove()


@pytest.fixture(scope="session")
def guesser(network: Network, debian: int, guarded: Target) -> Iterator[Guesser]:
    """Yield a host that guesses passwords of that server."""
    host = Target(f"{networks.WORKER_NAME}-guesser-{debian}", 13, network, hostname="guesser.example")
    if not (KEEP and host.running()):
        host.create(images.peer_image())
    both = Guesser(host, guarded)
    both.connect()
    yield both
    if not KEEP:
        host.remove()
