"""Ask the mail database from a host with mail, with the connection of a table of its Postfix.

So it works where the database is on another host, and with any engine.
"""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING, NamedTuple

from mailstack.components.postfix_sql import SQL_DIRECTORY
from mailstack.engines import engine_of

if TYPE_CHECKING:
    from mailstack.components.component import Site

TABLE = f"{SQL_DIRECTORY}/virtual_domains.cf"
"""A table that every Postfix of mailstack has."""


class Connection(NamedTuple):
    """The driver of Postfix's tables, libpq's variables, and whether only Postfix's user may connect."""

    driver: str
    environment: str
    peer: bool


def connection_of(site: Site) -> Connection:
    """Return how Postfix of this host connects to the database."""
    settings = site.settings
    environment = engine_of(settings).postfix_environment(site.endpoints)
    return Connection(settings.db_driver, environment, settings.mail_db_auth == "peer")


def asking(by: Connection, query: str) -> str:
    """Return a shell command that prints the rows of a query with commas between them, or fails.

    + query: of one column, as in a table of Postfix; its key is ``all``
    """
    run = "runuser -u postfix -- " if by.peer else ""
    line = shlex.quote(f"query = {query}")
    return f"""[ -e {TABLE} ] && table=$(mktemp) && trap 'rm -f "$table"' EXIT &&
{{ sed '/^query *=/,$d' {TABLE}; printf '%s\\n' {line}; }} > "$table" && chgrp postfix "$table" &&
chmod 640 "$table" && {run}env {by.environment} timeout 20 postmap -q all "{by.driver}:$table" """
