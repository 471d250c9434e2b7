"""Users for one test module on a shared server."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from tests.support import clients, sample_accounts
from tests.targets.containers import Target

PASSWORD = sample_accounts.PASSWORDS[sample_accounts.ALICE]


@contextmanager
def guests(server: Target, *names: str) -> Iterator[list[str]]:
    """Yield the addresses of new users `NAME@example.org` with `PASSWORD`; remove them and their mail."""
    emails = [f"{name}@example.org" for name in names]
    clear = "".join(
        f"DELETE FROM {table} WHERE email = '{email}';\n"
        for email in emails
        for table in ("mail_users", "mail_former_users")
    )
    make = "".join(
        f"INSERT INTO mail_users (email, password) SELECT '{email}', password FROM mail_users"
        f" WHERE email = '{sample_accounts.ALICE}';\n"
        for email in emails
    )
    clients.sql(server, clear + make)  # clear: left by an interrupted run
    homes = shlex.join(clients.home(server, email) for email in emails)
    yield emails
    clients.sql(server, clear)
    server.exec(f"rm -rf {homes}")
