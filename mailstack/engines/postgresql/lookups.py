"""PostgreSQL's queries for Postfix and Dovecot, beside those of all engines in ``mailstack.engines.lookups``.

Once ``%s``, ``%u`` and ``%d`` are replaced, a query runs on PostgreSQL as written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.engines.contract import DOVECOT
from mailstack.engines.lookups import (
    ACTIVE,
    HAS_QUOTA,
    MEGABYTES,
    MESSAGES,
    RELAY_DOMAINS,
    RELAY_RECIPIENTS,
    SIGNED_DOMAINS,
    USER_LIMITS,
    VIRTUAL_DOMAINS,
    VIRTUAL_MAILBOXES,
    detail_script,
    foreign_senders,
    has_app_password,
    may_log_in,
    own_senders,
    quota_warnings,
    selected,
    sender_logins,
    shared_folders,
)
from mailstack.engines.postgresql.quoting import literal
from mailstack.passwords import CURRENT_SCHEME

if TYPE_CHECKING:
    from mailstack.engines.contract import Hashes
    from mailstack.settings import Settings

__all__ = [
    "DOVECOT_ITERATE",
    "RELAY_DOMAINS",
    "RELAY_RECIPIENTS",
    "SENDER_LOGINS",
    "SIGNED_DOMAINS",
    "USER_LIMITS",
    "VIRTUAL_DOMAINS",
    "VIRTUAL_MAILBOXES",
    "dovecot_app_password",
    "dovecot_login",
    "dovecot_password",
    "dovecot_user",
    "foreign_senders",
    "own_senders",
    "virtual_aliases",
]

SENDER_LOGINS = sender_logins(
    "SELECT h.local || '@' || h.domain AS address FROM mailstack_hops('%u', '%d', false) h"
    " WHERE h.address IS NOT NULL"
)

DOVECOT_ITERATE = f'SELECT u.email AS "user" {ACTIVE}'
"""The query for every user, for ``doveadm -A``."""


_QUOTA = {
    "2.3": {"quota_rule": f"'*:storage=' || {MEGABYTES} || 'M:messages=' || {MESSAGES}"},
    "2.4": {"quota_storage_size": f"{MEGABYTES} || 'M'", "quota_message_count": MESSAGES},
}
"""The userdb fields of the quota in each generation."""


def virtual_aliases(postmaster: str) -> str:
    """Return one query for everything that Postfix asks about a recipient, by ``functions/lookups.sql``.

    It has no result for ``user+detail``: Postfix then asks without ``+detail`` and adds that to the result.
    It has none for ``@domain``, where ``%u`` is empty: Postfix would use that for any address in the domain.

    + postmaster: the address that gets the mail of every domain's postmaster
    """
    return f"SELECT * FROM mailstack_recipient('%u', '%d', {literal(postmaster)})"


def dovecot_user(settings: Settings, generation: str) -> str:
    """Return Dovecot's userdb query: the directory and the quota of a user.

    Postfix asks the quota service about the recipient as the client gave it, before aliases. So for this
    service alone, an alias with one mailbox as its only target returns that mailbox. Mail to an alias with
    several targets is accepted; the copy for a full mailbox waits in the queue. This lookup returns no row to
    this service for users without a quota, so the mailbox is not opened.

    + generation: Dovecot ``2.3`` or ``2.4``
    """
    name = DOVECOT[generation]
    # a login needs no script
    fields = {
        **_QUOTA[generation],
        **quota_warnings(settings, generation),
        **detail_script(settings, generation),
        **shared_folders(settings),
    }
    found = (
        f"COALESCE((SELECT m.email FROM mail_users m WHERE m.email = '{name.user}'),"
        f" (SELECT max(t.address) FROM mailstack_targets('{name.local_part}', '{name.domain}') AS t (address)"
        " HAVING count(*) = 1))"
    )
    return (
        f"SELECT {_home(settings)} AS home{selected(fields)} {ACTIVE} AND u.email ="
        f" CASE '{name.service}' WHEN 'quota-status' THEN {found} ELSE '{name.user}' END"
        f" AND ('{name.service}' <> 'quota-status' OR {HAS_QUOTA})"
    )


def dovecot_password(settings: Settings, generation: str, hashes: Hashes = "all") -> str:
    """Return Dovecot's passdb query; the fields ``userdb_…`` save the second lookup after a login.

    + generation: Dovecot ``2.3`` or ``2.4``
    + hashes: ``current`` finds only users with a hash of the current scheme, ``old`` only the others
    """
    current = f"upper(substr(u.password, 1, {len(CURRENT_SCHEME) + 2})) = '{{{CURRENT_SCHEME}}}'"
    narrowed = {"all": "", "current": f" AND {current}", "old": f" AND NOT {current}"}
    return _login(settings, generation, "u.password") + narrowed[hashes]


def dovecot_app_password(settings: Settings, generation: str) -> str:
    """Return Dovecot's passdb query for app passwords. It selects by the sent password, so a row proves it.

    + generation: Dovecot ``2.3`` or ``2.4``
    """
    nothing = "NULL AS password, 'Y' AS nopassword"
    return f"{_login(settings, generation, nothing)} AND {has_app_password(generation)}"


def dovecot_login(settings: Settings, generation: str) -> str:
    """Return the query that Dovecot runs after a login: it records the login, and returns no user.

    + generation: Dovecot ``2.3`` or ``2.4``
    """
    name = DOVECOT[generation]
    return (
        f"SELECT password FROM mailstack_record_login('{name.user}', '{name.service}',"
        f" {settings.mail_last_login_minutes}) AS password"
    )


def _login(settings: Settings, generation: str, password: str) -> str:
    fields = {
        **_QUOTA[generation],
        **quota_warnings(settings, generation),
        **shared_folders(settings),
    }
    return (
        f'SELECT u.email AS "user", {password}, {_home(settings)} AS userdb_home{selected(fields, "userdb_")}'
        f" {may_log_in(generation)}"
    )


def _home(settings: Settings) -> str:
    """Return SQL for ``home_directory``, or else the user's own directory below ``mail_home_root``."""
    return f"COALESCE(u.home_directory, {literal(f'{settings.mail_home_root}/')} || u.mail_directory)"
