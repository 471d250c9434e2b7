"""What the tests of this folder share, beside the server with rspamd and a DNS of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.trust import Protected


@pytest.fixture(scope="module")
def quick(protected: Protected) -> Iterator[Protected]:
    """Yield the server, which greylists for a second only."""
    path = "/etc/rspamd/override.d/greylist.conf"
    protected.server.exec(f"echo 'timeout = 1s;' > {path}")
    protected.server.exec("systemctl reload rspamd")
    yield protected
    protected.server.exec(f"rm {path}; redis-cli -s /run/redis-mailstack/redis.sock flushdb")
    protected.server.exec("systemctl reload rspamd")
