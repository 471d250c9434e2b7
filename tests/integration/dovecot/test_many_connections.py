"""More than a hundred TLS connections at once, Dovecot's own limit for all users together, are served."""

from __future__ import annotations

from contextlib import ExitStack

import pytest

from tests.support import clients
from tests.support.temporary_users import PASSWORD, guests
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

USERS, EACH = 6, 20


def test_many_sessions_of_one_client_at_once(server: Target) -> None:
    with guests(server, *(f"many{number}" for number in range(USERS))) as users, ExitStack() as stack:
        sessions = [
            stack.enter_context(clients.imap(server, user, password=PASSWORD))
            for user in users
            for _ in range(EACH)
        ]
        assert len(sessions) == USERS * EACH
        assert [session.noop()[0] for session in sessions] == ["OK"] * len(sessions)
    assert clients.log(server, "(process|client)_limit.* reached") == []
