"""The queries of Postfix and Dovecot that are the same SQL in all engines.

Postfix replaces ``%s`` by the whole key, ``%u`` and ``%d`` by its local part and domain, quoted
(pgsql_table(5), mysql_table(5)). Each engine's own ``lookups`` has the others, and exports these.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from mailstack.engines import tables
from mailstack.engines.contract import DOVECOT, SIEVE_SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from mailstack.settings import Settings

ACTIVE = "FROM mail_users u JOIN mail_domain d ON d.domain_name = u.domain_name WHERE u.active AND d.active"
ACTIVE_USER = f"SELECT u.email {ACTIVE} AND u.email = {{address}}"
ACTIVE_MAILBOX = ACTIVE_USER + " AND u.can_receive"

VIRTUAL_DOMAINS = (
    "SELECT domain_name FROM mail_domain WHERE domain_name = '%s'"
    " UNION ALL SELECT alias_domain FROM mail_alias_domain WHERE alias_domain = '%s'"
)
"""Disabled domains too: without mailboxes, every address in them is 550. If they were left out, Postfix would
treat them as remote, and mail from this server's users would loop back to it and bounce."""

VIRTUAL_MAILBOXES = ACTIVE_MAILBOX.format(address="'%s'")
"""Any result means that the mailbox exists: LMTP needs no path."""

_ANSWER = "SELECT '.' AS own FROM (SELECT '%s' AS name) AS asked WHERE name = 'all'"

SIGNED_DOMAINS = (
    f"{_ANSWER} UNION ALL SELECT domain_name FROM mail_domain WHERE '%s' = 'all'"
    " UNION ALL SELECT alias_domain FROM mail_alias_domain WHERE '%s' = 'all'"
)
"""All domains whose addresses users may send from. The first row is always there."""

MAIL_DOMAINS = (
    f"{SIGNED_DOMAINS} UNION ALL SELECT CONCAT('+', domain_name) FROM mail_relay_domain WHERE '%s' = 'all'"
)
"""The same, and after a ``+`` each domain whose mail is relayed. In SQL of both engines."""


def _word(column: str) -> str:
    """Return SQL for text without spaces and commas, quoted as in RFC 2045, 6.7."""
    for character in "= ,":
        column = f"REPLACE({column}, '{character}', '={ord(character):02X}')"
    return column


_BACKEND = _word("COALESCE(u.backend, '-')")
USERS_MAIL = (
    f"{_ANSWER} UNION ALL SELECT CONCAT(MIN(u.email), ' ', {_BACKEND}, ' ', COUNT(*))"
    " FROM mail_users u WHERE '%s' = 'all' GROUP BY u.backend"
    f" UNION ALL SELECT CONCAT(u.email, ' ', {_BACKEND}, ' ', {_word('u.home_directory')})"
    " FROM mail_users u WHERE '%s' = 'all' AND u.home_directory IS NOT NULL"
)
"""The number of users on each host, with one of them; and all users with a ``home_directory``, also disabled
ones. The first row is always there. Backends and directories are quoted-printable."""

_limits = [f"' ', COALESCE(u.{name}, -1)" for name in tables.USER_LIMITS]
USER_LIMITS = (
    f"{_ANSWER} UNION ALL SELECT CONCAT(u.email, {', '.join(_limits)}) FROM mail_users u"
    f" WHERE '%s' = 'all' AND COALESCE({', '.join(f'u.{name}' for name in tables.USER_LIMITS)}) IS NOT NULL"
)
"""The limits of all users that have some of their own, -1 for the others. The first row is always there."""

RELAY_DOMAINS = "SELECT domain_name FROM mail_relay_domain WHERE domain_name = '%s'"
"""Disabled domains too, for the reason given at ``VIRTUAL_DOMAINS``."""

RELAY_RECIPIENTS = (
    "SELECT d.domain_name FROM mail_relay_domain d WHERE d.domain_name = '%d' AND d.active"
    " AND (d.any_recipient OR '%u' = 'postmaster'"
    " OR (SELECT 1 FROM mail_relay_recipient r WHERE r.address = '%s') IS NOT NULL)"
)
"""Any result means that the primary has the address. It must have a postmaster (RFC 5321, 4.5.1)."""


def filled(query: str, local_part: str, domain: str, inside: Callable[[str], str]) -> str:
    """Return a query of Postfix with an address in it (pgsql_table(5), mysql_table(5)).

    + inside: returns text as SQL has it between quotes
    """
    values = {"%s": f"{local_part}@{domain}", "%u": local_part, "%d": domain}
    quoted = {name: inside(value) for name, value in values.items()}
    return re.sub("%[%sud]", lambda found: quoted.get(found[0], "%"), query)


NEEDS_LOGIN = "550 5.7.1 This sender address needs a login, on port 465 or 587"
"""The answer to strangers with a sender of this server."""


def own_senders(local: Iterable[str]) -> str:
    """Return a query for access(5): an action if the domain is one of this server's.

    + local: the domains of system users, which are in no table

    access(5) also looks up the domain, its parents and ``user@``. Postfix skips the query for keys without
    ``%d``.
    """
    names = ", ".join(f"'{name}'" for name in local)
    domains = VIRTUAL_DOMAINS.replace("%s", "%d")
    if names:
        domains += f" UNION ALL SELECT name FROM (SELECT '%d' AS name) AS asked WHERE name IN ({names})"
    return f"SELECT '{NEEDS_LOGIN}' FROM ({domains}) AS ours"


def foreign_senders(route: str, local: Iterable[str], domains: str = VIRTUAL_DOMAINS) -> str:
    """Return a query for a sender: the route of its mail, if its domain is none of this server's.

    + route: a transport with its next hop
    + local: the domains of system users, which are in no table
    + domains: the engine's query for a domain
    """
    names = ", ".join(f"'{name}'" for name in local) or "''"
    domains = domains.replace("%s", "%d")
    return (
        f"SELECT '{route}' FROM (SELECT '%d' AS name) AS asked"
        f" WHERE name NOT IN ({names}) AND NOT EXISTS ({domains})"
    )


def sender_logins(behind: str) -> str:
    """Return a query for the users that may send from an address.

    These are its owner, and users to whom the address or its domain was granted. They are also the users who
    get its mail by aliases or alias domains, but not by a wildcard or catch-all.

    + behind: SQL that selects, as ``address``, the mailboxes behind an alias
    """
    return (
        ACTIVE_USER.format(address="'%s'")
        + f" UNION SELECT b.address FROM ({behind}) AS b"
        + " UNION SELECT s.email FROM mail_sender s WHERE s.sender_email IN ('%s', '@%d')"
    )


MEGABYTES = "COALESCE(u.quota_mb, d.user_quota_mb, 0)"
MESSAGES = "COALESCE(u.quota_messages, d.user_quota_messages, 0)"
"""The quotas of a user. As in Dovecot, 0 is no limit."""

HAS_QUOTA = f"({MEGABYTES} > 0 OR {MESSAGES} > 0)"


def selected(fields: Mapping[str, str], prefix: str = "") -> str:
    """Return further columns of a SELECT: ``fields``, by name, each with its SQL."""
    return "".join(f', {sql} AS "{prefix}{field}"' for field, sql in fields.items())


def quota_warnings(settings: Settings, generation: str, has_quota: str) -> dict[str, str]:
    """Return the userdb field, with its SQL, that limits Dovecot's quota warnings to users with a quota.

    To know whether a warning is due, Dovecot reads the mailbox again after each message. That is a sixth of
    the work of a delivery, and more in large mailboxes. 2.3 reads its list of warnings up to the first that
    is missing, so the query returns the first one. In 2.4 it empties the list.

    + generation: Dovecot ``2.3`` or ``2.4``
    + has_quota: SQL that is true for a user with a quota
    """
    if not settings.mail_quota_warnings:
        return {}
    if generation == "2.4":
        return {"quota/User quota/quota_warning": f"CASE WHEN {has_quota} THEN NULL ELSE '' END"}
    first = settings.mail_quota_warnings[0]
    # % is doubled for the query, and again for the setting, in which Dovecot replaces %u and %h
    rule = f"storage={first}%%%% quota-warning {first} %%u %%h"
    return {"quota_warning": f"CASE WHEN {has_quota} THEN '{rule}' END"}


def mail_storage(generation: str) -> dict[str, str]:
    """Return the userdb fields, with their SQL, for how and where a user's mail is stored.

    + generation: Dovecot ``2.3`` or ``2.4``
    """
    if generation == "2.3":
        return {"mail": "CASE u.mail_driver WHEN 'sdbox' THEN 'sdbox:~/sdbox' ELSE 'maildir:~/Maildir' END"}
    path = "CASE u.mail_driver WHEN 'sdbox' THEN '~/sdbox' ELSE '~/Maildir' END"
    return {"mail_driver": "u.mail_driver", "mail_path": path}


def detail_script(settings: Settings, generation: str) -> dict[str, str]:
    """Return the userdb field, with its SQL, for the script for user+folder of users with ``detail_folders``.

    Other users don't get it, as for a user with a script Dovecot rewrites the mailbox list with each message.

    + generation: Dovecot ``2.3`` or ``2.4``
    """
    if not settings.mail_sieve:
        return {}
    setting = {"2.3": "sieve_after2" if settings.mail_sieve_after else "sieve_after"}
    return {
        setting.get(generation, "sieve_script/detail/path"): (
            f"CASE WHEN u.detail_folders THEN '{SIEVE_SCRIPTS}/detail.sieve' END"
        )
    }


def shared_folders(settings: Settings) -> dict[str, str]:
    """Return the userdb field, with its SQL, that hides shared folders from users of a former user's address.

    Otherwise the new user would have the rights granted to that address, until a run has revoked them.
    """
    if not settings.mail_shared_folders:
        return {}
    former = "EXISTS (SELECT 1 FROM mail_former_addresses f WHERE f.email = u.email)"
    return {"namespace/shared/disabled": f"CASE WHEN {former} THEN 'yes' END"}


def has_app_password(settings: Settings, generation: str) -> str:
    """Return the condition that the sent password is one of the user's app passwords for this service.

    Its use is recorded as a login is, with the same setting.
    """
    name = DOVECOT[generation]
    minutes = settings.mail_last_login_minutes
    return f"mailstack_use_app_password(u.email, '{name.app_digest}', '{name.service}', {minutes})"
