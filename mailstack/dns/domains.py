"""The domains in the mail database, asked from the host with the mail server, by its Postfix."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mailstack.components.postfix_sql import SQL_DIRECTORY
from mailstack.engines import engine_of
from mailstack.engines.lookups import MAIL_DOMAINS
from mailstack.facts.fact import Question

if TYPE_CHECKING:
    from mailstack.components.component import Site

_TABLE = f"{SQL_DIRECTORY}/virtual_domains.cf"


class MailDomains(NamedTuple):
    """The domains in the database.

    + local: those with mailboxes, and alias domains
    + relayed: those whose mail goes on to another server
    """

    local: tuple[str, ...] = ()
    relayed: tuple[str, ...] = ()


class _How(NamedTuple):
    """The driver of Postfix's tables, libpq's variables, and whether only Postfix's user may connect."""

    driver: str
    environment: str
    peer: bool


class Domains(Question["MailDomains | None"]):
    """Return the domains in the database, or ``None`` while it does not answer.

    The question is asked with the connection of a table that Postfix has. So it works where the database is
    on another host, and with any engine.
    """

    def command(self, driver: str, environment: str, peer: bool) -> str:
        """Ask by this driver."""
        return self.asking([_How(driver, environment, peer)])

    @staticmethod
    def ask(about: Sequence[_How]) -> str:
        """See ``Question.ask``."""
        ((driver, environment, peer),) = about
        run = "runuser -u postfix -- " if peer else ""
        query = shlex.quote(f"query = {MAIL_DOMAINS}")
        return f"""[ -e {_TABLE} ] && table=$(mktemp) && trap 'rm -f "$table"' EXIT &&
{{ sed '/^query *=/,$d' {_TABLE}; printf '%s\\n' {query}; }} > "$table" && chgrp postfix "$table" &&
chmod 640 "$table" && {run}env {environment} timeout 20 postmap -q all "{driver}:$table" """

    def parse(self, output: str) -> MailDomains | None:
        """See ``Question.parse``: the first of the names is a dot, which is always there."""
        names = [name for name in output.strip().split(",") if name]
        if "." not in names:
            return None
        local = sorted({name for name in names if name[0] not in ".+"})
        return MailDomains(tuple(local), tuple(sorted({name[1:] for name in names if name[0] == "+"})))


def domains_of(site: Site) -> Domains:
    """Return the question for this host."""
    settings = site.settings
    environment = engine_of(settings).postfix_environment(site.endpoints)
    return Domains.of(settings.db_driver, environment, settings.mail_db_auth == "peer")
