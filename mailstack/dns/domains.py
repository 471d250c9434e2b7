"""The domains in the mail database, asked from the host with the mail server, by its Postfix."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from mailstack.engines.lookups import MAIL_DOMAINS
from mailstack.facts.fact import Question
from mailstack.facts.lookups import Connection, asking, connection_of

if TYPE_CHECKING:
    from mailstack.components.component import Site


class MailDomains(NamedTuple):
    """The domains in the database.

    + local: those with mailboxes, and alias domains
    + relayed: those whose mail goes on to another server
    """

    local: tuple[str, ...] = ()
    relayed: tuple[str, ...] = ()


class Domains(Question["MailDomains | None"]):
    """Return the domains in the database, or ``None`` while it does not answer."""

    def command(self, by: Connection) -> str:
        """Ask by this connection."""
        return self.asking([by])

    @staticmethod
    def ask(about: Sequence[Connection]) -> str:
        """See ``Question.ask``."""
        (by,) = about
        return asking(by, MAIL_DOMAINS)

    def parse(self, output: str) -> MailDomains | None:
        """See ``Question.parse``: the first of the names is a dot, which is always there."""
        names = [name for name in output.strip().split(",") if name]
        if "." not in names:
            return None
        local = sorted({name for name in names if name[0] not in ".+"})
        return MailDomains(tuple(local), tuple(sorted({name[1:] for name in names if name[0] == "+"})))


def domains_of(site: Site) -> Domains:
    """Return the question for this host."""
    return Domains.of(connection_of(site))
