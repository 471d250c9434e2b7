"""POP3, and ports with STARTTLS, offer the TLS of port 993, which internet_nl/test_tls.py looks at."""

from __future__ import annotations

import pytest

from tests.support.tls_hello import SSL3, TLS1, TLS1_1, TLS1_2, TLS1_3, accepted, ask
from tests.targets.containers import Target


@pytest.mark.parametrize("port", [110, 143, 995, 4190])
@pytest.mark.parametrize("debian", [13], ids=["debian13"], indirect=True)
def test_versions_and_ciphers(abused: Target, port: int) -> None:
    for version in (SSL3, TLS1, TLS1_1):
        assert not ask(abused.ip, port, version=version)
    for version in (TLS1_2, TLS1_3):
        suites = accepted(abused.ip, port, version)
        assert suites
        assert suites == accepted(abused.ip, 993, version)
