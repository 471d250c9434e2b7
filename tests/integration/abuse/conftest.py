"""A server to abuse, with all protocols."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.conftest import KEEP
from tests.support import deploys, recorder, sample_accounts
from tests.support.daemons import assert_given_back, assert_served, crashes, held
from tests.targets import networks
from tests.targets.containers import Target
from tests.targets.networks import Network


def data() -> dict[str, Any]:
    """Return the host data of that server: without a limit of logins, and with a way to the recorder."""
    return sample_accounts.data(
        mail_pop3=True,
        mail_smtpd_client_auth_rate_limit=0,
        mail_transport={recorder.DOMAIN: f"smtp:[{sample_accounts.REMOTE}]:{recorder.PORT}"},
    )


@pytest.fixture(scope="session")
def abused(network: Network, debian: int, deployed: str) -> Iterator[Target]:
    """Yield a copy of the standard server with POP3, so that no other test meets what it suffers."""
    server = Target(f"{networks.WORKER_NAME}-abused-{debian}", debian, network)
    if not (KEEP and server.running()):
        server.create(deployed)
    deploys.run(server, data())
    yield server
    if not KEEP:
        server.remove()


@pytest.fixture
def unharmed(abused: Target, peer: Target) -> Iterator[Target]:
    """Yield that server; afterwards it serves others, no daemon has crashed, and all give back."""
    before, crashed = held(abused), crashes(abused)
    yield abused
    assert_served(abused, peer)
    assert_given_back(abused, before)
    assert crashes(abused) == crashed
