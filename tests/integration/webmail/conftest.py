"""A server with webmail and fail2ban, which the tests of this folder share, and a browser beside it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import KEEP
from tests.integration.conftest import made_once
from tests.support import browser, sample_accounts
from tests.targets import networks
from tests.targets.containers import Target
from tests.targets.networks import Network

#: The guesses after which an address is shut out here.
LIMIT = 5
DATA: dict[str, Any] = {"mail_webmail": True, "mail_fail2ban": True, "mail_fail2ban_guesses": LIMIT}


@pytest.fixture(scope="session")
def with_webmail(network: Network, debian: int, deployed: str) -> str:
    """Return the image of the standard server with webmail; the first worker makes it."""

    def deploy(host: Target) -> None:
        host.create(deployed)
        host.pyinfra("-y", "deploy.py", data=sample_accounts.data(**DATA), timeout=900).check()

    host = Target(f"{networks.WORKER_NAME}-with-webmail-{debian}", debian, network)
    return made_once(f"webmail:{debian}-postgresql", host, deploy)


@pytest.fixture(scope="session")
def webmail_server(network: Network, debian: int, with_webmail: str) -> Iterator[Target]:
    """Yield the server: leave it as found."""
    server = Target(f"{networks.WORKER_NAME}-webmail-{debian}", debian, network)
    if not (KEEP and server.running()):
        server.create(with_webmail)
    if KEEP:
        server.pyinfra("-y", "deploy.py", data=sample_accounts.data(**DATA), timeout=900).check()
    yield server
    if not KEEP:
        server.remove()


@pytest.fixture(scope="module")
def desk(network: Network, debian: int) -> Iterator[Target]:
    """Yield a machine with a web browser."""
    target = browser.machine(f"{networks.WORKER_NAME}-desk-{debian}", network, keep=KEEP)
    yield target
    if not KEEP:
        target.remove()
