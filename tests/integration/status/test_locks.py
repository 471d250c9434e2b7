"""A table that somebody has locked is named, and no command hangs."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.integration.conftest import Factory
from tests.support import clients, sample_accounts
from tests.targets.pyinfra import PyinfraRun

pytestmark = pytest.mark.both_engines

LOCK = {
    "postgresql": (
        "BEGIN; LOCK TABLE mail_users IN ACCESS EXCLUSIVE MODE;",
        "runuser -u postgres -- psql mail",
    ),
    "mysql": ("LOCK TABLES mail_users WRITE;", "mariadb mail"),
}
#: The session that has locked the table ends with the unit.
HOLD = """
systemd-run --quiet --collect --unit=locker \
  sh -c '{{ echo "{}"; echo "\\! touch /tmp/locked"; sleep 900; }} | {}'
timeout 60 sh -c 'until [ -e /tmp/locked ]; do sleep 0.1; done'
"""


def test_a_locked_table_is_named_and_nothing_hangs(clone: Factory, db_engine: str) -> None:
    host, data = clone("locked"), sample_accounts.data()
    host.exec(f"cd /; {HOLD.format(*LOCK[db_engine])}")

    def said(command: str) -> tuple[PyinfraRun, float]:
        start = time.monotonic()
        return host.pyinfra("-y", command, data=data), time.monotonic() - start

    with ThreadPoolExecutor(2) as pool:
        for run, seconds in pool.map(said, ("mailstack.status", "mailstack.verify")):
            text = " ".join((run.stdout + run.stderr).split())
            assert run.returncode and "another session has locked a table" in text
            assert seconds < 60
    host.exec("systemctl stop locker")
    host.pyinfra("-y", "mailstack.verify", data=data).check()
    assert clients.sql(host, "SELECT email FROM mail_users WHERE email LIKE 'mailstack-verify-%'") == ""
