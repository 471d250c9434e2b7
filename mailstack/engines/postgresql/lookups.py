"""PostgreSQL's queries for Postfix and Dovecot, beside those of all engines in ``mailstack.engines.lookups``.

Once ``%s``, ``%u`` and ``%d`` are replaced, a query runs on PostgreSQL as written here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.engines import lookups
from mailstack.engines.contract import DOVECOT
from mailstack.engines.lookups import (
    ACTIVE,
    NEEDS_LOGIN,
    RELAY_DOMAINS,
    RELAY_RECIPIENTS,
    SIGNED_DOMAINS,
    USER_LIMITS,
    VIRTUAL_MAILBOXES,
    detail_script,
    has_app_password,
    mail_storage,
    quota_warnings,
    selected,
    sender_logins,
    shared_folders,
)
from mailstack.engines.postgresql.quoting import literal
from mailstack.passwords import CURRENT_SCHEME

if TYPE_CHECKING:
    from collections.abc import Iterable

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
    "recipient_class",
    "virtual_aliases",
]

VIRTUAL_DOMAINS = "SELECT * FROM mailstack_domain('%s')"
"""See ``mailstack.engines.lookups``."""

SENDER_LOGINS = sender_logins(
    "SELECT h.local || '@' || h.domain AS address FROM mailstack_hops('%u', '%d', false) h"
    " WHERE h.address IS NOT NULL"
)

DOVECOT_ITERATE = f'SELECT u.email AS "user" {ACTIVE}'
"""The query for every user, for ``doveadm -A``."""


# u is a row of mailstack_user or mailstack_login, whose quotas are those that count
_HAS_QUOTA = "(u.quota_mb > 0 OR u.quota_messages > 0)"
_QUOTA = {
    "2.3": {"quota_rule": "'*:storage=' || u.quota_mb || 'M:messages=' || u.quota_messages"},
    "2.4": {"quota_storage_size": "u.quota_mb || 'M'", "quota_message_count": "u.quota_messages"},
}
"""The userdb fields of the quota in each generation."""


def own_senders(local: Iterable[str]) -> str:
    """Return a query for access(5), see ``mailstack.engines.lookups``."""
    names = ", ".join(f"'{name}'" for name in local) or "''"
    return f"SELECT '{NEEDS_LOGIN}' WHERE '%d' IN ({names}) OR EXISTS (SELECT FROM mailstack_domain('%d'))"


def foreign_senders(route: str, local: Iterable[str]) -> str:
    """Return a query for a sender, see ``mailstack.engines.lookups``."""
    return lookups.foreign_senders(route, local, VIRTUAL_DOMAINS)


def virtual_aliases(postmaster: str) -> str:
    """Return one query for everything that Postfix asks about a recipient, by ``functions/lookups.sql``.

    It has no result for ``user+detail``: Postfix then asks without ``+detail`` and adds that to the result.
    It has none for ``@domain``, where ``%u`` is empty: Postfix would use that for any address in the domain.

    + postmaster: the address that gets the mail of every domain's postmaster
    """
    return f"SELECT * FROM mailstack_recipient('%u', '%d', {literal(postmaster)})"


def recipient_class(postmaster: str) -> str | None:
    """Return the query for the restriction class of a recipient, by ``functions/lookups.sql``.

    + postmaster: as for ``virtual_aliases``
    """
    return f"SELECT * FROM mailstack_recipient_class('%u', '%d', {literal(postmaster)})"


def dovecot_user(settings: Settings, generation: str) -> str:
    """Return Dovecot's userdb query: the directory and the quota of a user.

    For the quota service, an alias with one mailbox as its only target returns that mailbox. Mail to an alias
    with several targets is accepted; the copy for a full mailbox waits in the queue.

    + generation: Dovecot ``2.3`` or ``2.4``
    """
    name = DOVECOT[generation]
    fields = {
        **_fields(settings, generation),
        # a login needs no script
        **detail_script(settings, generation),
    }
    return (
        f"SELECT {_home(settings)} AS home{selected(fields)} FROM mailstack_user("
        f"'{name.user}', '{name.local_part}', '{name.domain}', '{name.service}') u"
    )


def dovecot_password(settings: Settings, generation: str, hashes: Hashes = "all") -> str:
    """Return Dovecot's passdb query; the fields ``userdb_…`` save the second lookup after a login.

    + generation: Dovecot ``2.3`` or ``2.4``
    + hashes: ``current`` finds only users with a hash of the current scheme, ``old`` only the others
    """
    current = f"upper(substr(u.password, 1, {len(CURRENT_SCHEME) + 2})) = '{{{CURRENT_SCHEME}}}'"
    narrowed = {"all": "", "current": f" WHERE {current}", "old": f" WHERE NOT {current}"}
    return _login(settings, generation, "u.password") + narrowed[hashes]


def dovecot_app_password(settings: Settings, generation: str) -> str:
    """Return Dovecot's passdb query for app passwords. It selects by the sent password, so a row proves it.

    + generation: Dovecot ``2.3`` or ``2.4``
    """
    nothing = "NULL AS password, 'Y' AS nopassword"
    return f"{_login(settings, generation, nothing)} WHERE {has_app_password(settings, generation)}"


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
    name = DOVECOT[generation]
    return (
        f'SELECT u.email AS "user", {password}, {_home(settings)} AS userdb_home'
        f"{selected(_fields(settings, generation), 'userdb_')}"
        f" FROM mailstack_login('{name.user}', '{name.service}') u"
    )


def _fields(settings: Settings, generation: str) -> dict[str, str]:
    """Return the userdb fields of every lookup and login."""
    return {
        **mail_storage(generation),
        **_QUOTA[generation],
        **quota_warnings(settings, generation, _HAS_QUOTA),
        **shared_folders(settings),
    }


def _home(settings: Settings) -> str:
    """Return SQL for ``home_directory``, or else the user's own directory below ``mail_home_root``."""
    return f"COALESCE(u.home_directory, {literal(f'{settings.mail_home_root}/')} || u.mail_directory)"
