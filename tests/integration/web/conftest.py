"""A server with nginx and a self-signed certificate, which the tests of this folder share."""

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

#: With POP3, as the settings that programs get depend on it.
DATA: dict[str, Any] = {"mail_web": True, "mail_pop3": True}


@pytest.fixture(scope="session")
def with_web(network: Network, debian: int, deployed: str) -> str:
    """Return the image of the standard server with nginx; the first worker makes it."""

    def deploy(host: Target) -> None:
        host.create(deployed)
        host.pyinfra("-y", "deploy.py", data=sample_accounts.data(**DATA), timeout=900).check()

    host = Target(f"{networks.WORKER_NAME}-with-web-{debian}", debian, network)
    return made_once(f"web:{debian}-postgresql", host, deploy)


@pytest.fixture(scope="session")
def web_server(network: Network, debian: int, with_web: str) -> Iterator[Target]:
    """Yield the server: leave it as found."""
    server = Target(f"{networks.WORKER_NAME}-web-{debian}", debian, network)
    if not (KEEP and server.running()):
        server.create(with_web)
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
