"""A server that sends, and the peer as the server of domains that publish how it is reached by TLS."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.receiver import Receiver
from tests.support.trust import Protected
from tests.targets.containers import Target

#: Those with a policy of MTA-STS, which is at a name in a certificate.
WITH_POLICY = (
    "sts.example",
    "strict.example",
    "both.example",
    "testing.example",
    "lenient.example",
    "x.lenient.example",
)


@pytest.fixture(scope="session")
def receiver(protected: Protected, peer: Target) -> Iterator[Receiver]:
    """Yield both; nothing is published yet."""
    both = Receiver(protected, peer)
    both.prepare(*WITH_POLICY)
    yield both
    both.forget()
