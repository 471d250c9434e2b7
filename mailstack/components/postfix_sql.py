"""The tables of Postfix that ask the database, see pgsql_table(5) and mysql_table(5)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.components.postfix_tables import DIRECTORY
from mailstack.engines import engine_of
from mailstack.files import Directory, Entry, File
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.components.component import Site
    from mailstack.endpoint import Endpoint
    from mailstack.settings import Settings

SQL_DIRECTORY = f"{DIRECTORY}/sql"

_COMMENTS = {
    "virtual_domains": "virtual_mailbox_domains: the domains of this server",
    "virtual_mailboxes": "virtual_mailbox_maps: the mailboxes; the result is not used",
    "virtual_aliases": "virtual_alias_maps: the final targets of an alias, or the mailbox itself",
    "recipient_classes": "check_recipient_access: whether a recipient exists, and has a quota",
    "sender_logins": "smtpd_sender_login_maps: the users who may send from an address",
    "own_senders": "check_sender_access: the answer to strangers with this server's senders",
    "relay_domains": "relay_domains: the domains whose mail is relayed to another server",
    "relay_recipients": "relay_recipient_maps: the recipients at that server; the result is not used",
}


def files(settings: Settings, endpoints: Sequence[Endpoint]) -> list[Entry]:
    """Return the tables that Postfix itself reads, and their directory."""
    return [
        Directory(SQL_DIRECTORY, "root", "postfix", 0o750),
        *(
            File(
                f"{SQL_DIRECTORY}/{name}.cf",
                sql_cf(settings, endpoints, _COMMENTS[name], query),
                group="postfix",
                mode=0o640,
            )
            for name, query in queries(settings).items()
        ),
    ]


def queries(settings: Settings) -> dict[str, str]:
    """Return the queries to the database, by the name of the file in ``/etc/postfix/sql``."""
    lookups = engine_of(settings).lookups
    postmaster = settings.mail_postmaster
    if "@" not in postmaster:
        postmaster = f"{postmaster}@{settings.mail_hostname}"
    # a percent sign of the address is none of pgsql_table(5) and mysql_table(5)
    postmaster = postmaster.replace("%", "%%")
    classes = lookups.recipient_class(postmaster)
    return {
        "virtual_domains": lookups.VIRTUAL_DOMAINS,
        "virtual_mailboxes": lookups.VIRTUAL_MAILBOXES,
        "virtual_aliases": lookups.virtual_aliases(postmaster),
        **({} if classes is None else {"recipient_classes": classes}),
        "sender_logins": lookups.SENDER_LOGINS,
        "own_senders": lookups.own_senders(settings.local_domains),
        "relay_domains": lookups.RELAY_DOMAINS,
        "relay_recipients": lookups.RELAY_RECIPIENTS,
    }


def root_sql_table(site: Site, path: str, comment: str, query: str) -> File:
    """Return a table for root's postmap(1), outside of Postfix."""
    # with "peer" it has no password
    mode = 0o644 if site.settings.mail_db_auth == "peer" else 0o600
    return File(path, sql_cf(site.settings, site.endpoints, comment, query), mode=mode, activation=None)


def sql_cf(settings: Settings, endpoints: Sequence[Endpoint], comment: str, query: str) -> str:
    """Return a table of Postfix that asks the database, see pgsql_table(5) and mysql_table(5)."""
    engine = engine_of(settings)
    return render(
        "postfix/sql.cf",
        settings=settings,
        driver=settings.db_driver,
        hosts=engine.postfix_hosts(endpoints),
        alone=len(endpoints) == 1,
        user=engine.lookup_user(settings, "postfix"),
        password=settings.mail_db_auth == "password",
        comment=comment,
        query=query,
    )
