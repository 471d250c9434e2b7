"""The tables of Postfix on a host, each with a key that it has and one that it does not have. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mailstack.components.postfix_sql import SQL_DIRECTORY
from mailstack.components.postfix_tables import DIRECTORY, INDEX
from mailstack.engines import engine_of
from mailstack.files import File
from mailstack.text import lines_of

if TYPE_CHECKING:
    from mailstack.components.component import Site
    from mailstack.files import Entry
    from mailstack.verify.accounts import Accounts

_DEPLOY = "pyinfra INVENTORY deploy.py writes it again; docs/troubleshooting.md has what Postfix then answers"


class Keys(NamedTuple):
    """The keys for one table.

    + hit: a key that it has; ``None`` for an empty table
    + expected: the start of the answer, or one of several; empty for any
    + miss: a key that it does not have
    """

    hit: str | None
    expected: str
    miss: str


def is_sql(entry: Entry) -> bool:
    """Return whether a file is a table that asks the database."""
    return isinstance(entry, File) and entry.content is not None and "\nquery = " in entry.content


def keys_of_sql(accounts: Accounts) -> dict[str, Keys]:
    """Return the keys for each table that asks the database, by the path of its file."""
    user, nobody = accounts.user, f"nobody@{accounts.foreign}"
    own = {
        "virtual_domains": Keys(accounts.domain, accounts.domain, accounts.foreign),
        "virtual_mailboxes": Keys(user, user, accounts.nobody),
        "virtual_aliases": Keys(accounts.alias, user, nobody),
        "recipient_classes": Keys(accounts.alias, "", nobody),
        "sender_logins": Keys(user, user, nobody),
        "own_senders": Keys(user, "550 5.7.1", nobody),
        "relay_domains": Keys(accounts.relayed, accounts.relayed, accounts.foreign),
        "relay_recipients": Keys(
            f"known@{accounts.relayed}", accounts.relayed, f"unknown@{accounts.relayed}"
        ),
        "foreign_senders": Keys(nobody, "", user),
    }
    others = {
        "/etc/rspamd/mailstack-domains.cf": Keys("all", accounts.domain, accounts.foreign),
        "/etc/rspamd/mailstack-limits.cf": Keys("all", ".", accounts.foreign),
        "/etc/mailstack/certificates-domains.cf": Keys("all", accounts.domain, accounts.foreign),
    }
    return {**{f"{SQL_DIRECTORY}/{name}.cf": keys for name, keys in own.items()}, **others}


def tables(site: Site, entries: Sequence[Entry], accounts: Accounts | None) -> list[dict[str, Any]]:
    """Return the tables among the files of a host.

    + accounts: without them, those in the database have nothing that is known
    """
    files = [entry for entry in entries if isinstance(entry, File) and entry.content is not None]
    found = [*_static(files), *_patterns(files)]
    if accounts is not None:
        found += _sql(site, files, keys_of_sql(accounts))
    return found


def others(entries: Sequence[Entry], accounts: Accounts | None) -> list[str]:
    """Return the files that ask the database in a way that only the administrator's own component knows."""
    if accounts is None:
        return []
    known = keys_of_sql(accounts)
    return [entry.path for entry in entries if is_sql(entry) and entry.path not in known]


def _sql(site: Site, files: Sequence[File], known: dict[str, Keys]) -> Iterator[dict[str, Any]]:
    settings = site.settings
    environment = engine_of(settings).postfix_environment(site.endpoints).split()
    for file in filter(is_sql, files):
        if file.path not in known:
            continue
        of_postfix = file.path.startswith(f"{SQL_DIRECTORY}/")
        driver = settings.map_type if of_postfix else settings.db_driver
        # as each is asked: with "peer", the database knows root only as the user of Postfix
        as_root = not of_postfix and settings.mail_db_auth != "peer"
        yield {
            **_table(file, f"{driver}:{file.path}", known[file.path]),
            "as_root": as_root,
            "environment": environment,
        }


def _static(files: Sequence[File]) -> Iterator[dict[str, Any]]:
    for file in files:
        if file.indexed == "postmap":
            yield {**_table(file, f"{INDEX}:{file.path}", _first(file)), "secret": not file.mode & 0o004}


def _first(file: File) -> Keys:
    lines = lines_of(file.content or "")
    rows = [line.split(None, 1) for line in lines if line and not line.startswith(("#", " ", "\t"))]
    key, value = next(((row[0], row[1].strip()) for row in rows if len(row) == 2), (None, ""))
    return Keys(key, value if file.mode & 0o004 else "", "nobody@mailstack-verify.invalid")


def _patterns(files: Sequence[File]) -> Iterator[dict[str, Any]]:
    keys = {
        "impossible_senders": Keys("a\x01b@example.org", "553 5.1.7", "ab@example.org"),
        "impossible_recipients": Keys(f"{'a' * 65}@example.org", "501 5.1.3", "ab@example.org"),
        "whole_domains": Keys("example.org", "example.org", ".example.org"),
    }
    for file in files:
        name = file.path.rpartition("/")[2]
        if file.path == f"{DIRECTORY}/{name}" and name in keys:
            yield _table(file, f"regexp:{file.path}", keys[name])


def _table(file: File, table: str, keys: Keys) -> dict[str, Any]:
    name = file.path.rpartition("/")[2].removesuffix(".cf")
    return {
        "name": name,
        "table": table,
        **keys._asdict(),
        "secret": False,
        "as_root": True,
        "environment": [],
        "advice": _DEPLOY,
    }
