"""Users of one test module on a server that others share."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from mailstack.engines.postgresql.quoting import literal
from tests.integration import clients, world
from tests.targets.containers import Target

PASSWORD = world.PASSWORDS[world.ALICE]


@contextmanager
def guests(server: Target, *names: str) -> Iterator[list[str]]:
    """The addresses of new users `NAME@example.org` with `PASSWORD`; they and their mail go afterwards."""
    emails = [f"{name}@example.org" for name in names]
    listed = ", ".join(map(literal, emails))
    homes = shlex.join(f"/var/vmail/example.org/{name}" for name in names)
    clear = f"DELETE FROM mail_users WHERE email IN ({listed});"
    server.exec(f"rm -rf {homes}")  # of a run that was cut off
    clients.sql(
        server,
        f"{clear} INSERT INTO mail_users (email, password)"
        f" SELECT unnest(ARRAY[{listed}]), password FROM mail_users WHERE email = {literal(world.ALICE)};",
    )
    yield emails
    clients.sql(server, clear)
    server.exec(f"rm -rf {homes}")
