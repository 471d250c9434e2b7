"""What the tests of this folder share, beside the server with rspamd and a DNS of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.trust import Protected
from tests.targets.containers import Target


@pytest.fixture(scope="module")
def quick(protected: Protected) -> Iterator[Protected]:
    """Yield the server, which greylists for a second only."""
    path = "/etc/rspamd/override.d/greylist.conf"
    protected.server.exec(f"echo 'timeout = 1s;' > {path}")
    protected.server.exec("systemctl restart rspamd")  # a reload takes some seconds
    yield protected
    protected.server.exec(f"rm {path}; redis-cli -s /run/redis-mailstack/redis.sock flushdb")
    protected.server.exec("systemctl reload rspamd")


@pytest.fixture(scope="module")
def outside(protected: Protected, peer: Target) -> Iterator[Target]:
    """Yield the peer, to which mail for strangers goes.

    Mail of other tests may have found no server there: Postfix then leaves that domain alone for minutes,
    until a flush (qmgr(8), minimal_backoff_time).
    """
    protected.serve("example.org", "example.com", peer=peer)
    protected.server.exec("sleep 1; postqueue -f")  # after what the resolver remembers
    yield peer
    protected.serve("example.org", "example.com")
