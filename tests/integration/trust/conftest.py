"""A server with rspamd and a DNS of its own, which the tests of this folder share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import KEEP
from tests.integration.conftest import made_once
from tests.support import dns, trust
from tests.support.trust import Protected
from tests.targets import networks
from tests.targets.containers import Target
from tests.targets.networks import Network


@pytest.fixture(scope="session")
def filtering(network: Network, debian: int, deployed: str) -> str:
    """Return the image of the standard server with rspamd and SRS; the first worker makes it."""

    def deploy(host: Target) -> None:
        host.create(deployed)
        host.pyinfra("-y", "deploy.py", data=trust.data(), timeout=900).check()

    host = Target(f"{networks.WORKER_NAME}-filtering-{debian}", debian, network)
    return made_once(f"filtering:{debian}-postgresql", host, deploy)


@pytest.fixture(scope="session")
def protected(network: Network, debian: int, filtering: str) -> Iterator[Protected]:
    """Yield the server, with its keys in the DNS."""
    server = Target(f"{networks.WORKER_NAME}-trust-{debian}", debian, network)
    if not (KEEP and server.running()):
        server.create(filtering)
    resolver = dns.server(f"{networks.WORKER_NAME}-dns-{debian}", network, keep=KEEP)
    try:
        if KEEP:
            server.pyinfra("-y", "deploy.py", data=trust.data(), timeout=900).check()
        dns.use(server, resolver)
        both = Protected(server, resolver)
        both.serve("example.org", "example.com")
        yield both
    finally:
        if not KEEP:
            server.remove()
            resolver.remove()


@pytest.fixture(scope="module")
def quick(protected: Protected) -> Iterator[Protected]:
    """Yield the server, which greylists for a second only."""
    path = "/etc/rspamd/override.d/greylist.conf"
    protected.server.exec(f"echo 'timeout = 1s;' > {path}")
    protected.server.exec("systemctl reload rspamd")
    yield protected
    protected.server.exec(f"rm {path}; redis-cli -s /run/redis-mailstack/redis.sock flushdb")
    protected.server.exec("systemctl reload rspamd")
