"""A table that somebody has locked is named, and no command hangs."""

from __future__ import annotations

import time

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts

pytestmark = pytest.mark.postgresql

LOCK = (
    "runuser -u postgres -- psql -d mail -c"
    " 'BEGIN; LOCK TABLE mail_users IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(900)'"
)


def test_a_locked_table_is_named_and_nothing_hangs(clone: Factory) -> None:
    host, data = clone("locked"), sample_accounts.data()
    host.exec(f"cd /; systemd-run --quiet --collect --unit=locker {LOCK}; sleep 5")
    for command in ("mailstack.status", "mailstack.verify"):
        start = time.monotonic()
        run = host.pyinfra("-y", command, data=data)
        said = " ".join((run.stdout + run.stderr).split())
        assert run.returncode and "another session has locked a table" in said
        assert time.monotonic() - start < 150
    # PostgreSQL would not notice that a client has gone
    clients.sql(host, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE query LIKE 'BEGIN;%'")
    # the next one removes what is left
    host.pyinfra("-y", "mailstack.verify", data=data).check()
    assert clients.sql(host, "SELECT email FROM mail_users WHERE email LIKE 'mailstack-verify-%'") == ""
