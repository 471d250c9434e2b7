"""What Postfix and Dovecot ask PostgreSQL, beside what ``mailstack.engines.lookups`` has for every engine.

With ``%s``, ``%u`` and ``%d`` in it, a query runs on PostgreSQL as it stands here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.engines.contract import DOVECOT
from mailstack.engines.lookups import (
    ACTIVE,
    DETAIL_FOLDERS,
    DOMAIN_ACTIVE,
    MEGABYTES,
    MESSAGES,
    NO_WILDCARD,
    RELAY_DOMAINS,
    RELAY_RECIPIENTS,
    VIRTUAL_DOMAINS,
    VIRTUAL_IDENTITY,
    VIRTUAL_MAILBOXES,
    deliverable,
    has_app_password,
    may_log_in,
    nothing_there,
    own_senders,
    sender_logins,
    virtual_postmaster,
)
from mailstack.passwords import CURRENT_SCHEME

if TYPE_CHECKING:
    from mailstack.engines.contract import Hashes
    from mailstack.settings import Settings

__all__ = [
    "DOVECOT_ITERATE",
    "RELAY_DOMAINS",
    "RELAY_RECIPIENTS",
    "SENDER_LOGINS",
    "VIRTUAL_ALIASES",
    "VIRTUAL_DOMAINS",
    "VIRTUAL_IDENTITY",
    "VIRTUAL_MAILBOXES",
    "dovecot_app_password",
    "dovecot_login",
    "dovecot_password",
    "dovecot_user",
    "own_senders",
    "virtual_postmaster",
]

_ADDRESS = "h.local || '@' || h.domain"
_BY_NAME = (
    "SELECT a.destination_email AS address FROM mail_alias a"
    f" WHERE a.source_email = {_ADDRESS} AND a.active AND {DOMAIN_ACTIVE}",
    "SELECT h.local || '@' || x.domain_name AS address FROM mail_alias_domain x"
    " WHERE x.alias_domain = h.domain AND x.active",
)
_LEFT_OVER = (
    "SELECT w.destination_email FROM mail_wildcard w"
    f" WHERE w.local_part = h.local AND w.active AND {DOMAIN_ACTIVE} AND {nothing_there(_ADDRESS)}",
    "SELECT a.destination_email FROM mail_alias a"
    f" WHERE a.source_email = '@' || h.domain AND a.active AND {DOMAIN_ACTIVE}"
    f" AND {nothing_there(_ADDRESS)} AND h.local <> 'postmaster' AND {NO_WILDCARD}",
)


def _hops(*ways: str) -> str:
    """All that an address leads to by these ways; ``tagged`` are those behind some ``+detail``."""
    return (
        "WITH RECURSIVE hop (local, domain, address, tagged) AS ("
        "SELECT '%u', '%d', NULL, false WHERE '%u' !~ '[+]' UNION "
        "SELECT split_part(split_part(n.address, '@', 1), '+', 1), split_part(n.address, '@', 2), n.address,"
        f" h.tagged OR n.address ~ '[+]' FROM hop h CROSS JOIN LATERAL ({' UNION ALL '.join(ways)}) n)"
    )


VIRTUAL_ALIASES = (
    f"{_hops(*_BY_NAME, *_LEFT_OVER)} SELECT DISTINCT h.address FROM hop h"
    f" WHERE h.address IS NOT NULL AND {deliverable(_ADDRESS)}"
    " AND NOT EXISTS (SELECT 1 FROM hop c WHERE c.tagged AND c.local = '%u' AND c.domain = '%d')"
)
"""Where the mail of an address goes that is not a mailbox's own: aliases, else the other name of its domain,
else the wildcard for its local part, else the domain's catch-all. A mailbox or an alias, active or not, has
its address to itself.

Follows chains to the end and returns only what can be delivered: mailboxes that are active, and remote
addresses. An alias that leads nowhere, or in a circle, so does not exist, and is 550 at RCPT rather than a
bounce or a 451 for ever. Where a circle adds a ``+detail``, Postfix would add it again and again, so that
none of its aliases is one.

Sub-addresses are not answered: Postfix then asks without the ``+detail`` and adds it to the result. Nor is
``@domain``, for which ``%u`` is empty; Postfix would take that for an answer whatever the address."""

SENDER_LOGINS = sender_logins(
    f"{_hops(*_BY_NAME)} SELECT {_ADDRESS} AS address FROM hop h WHERE h.address IS NOT NULL"
)

DOVECOT_ITERATE = f'SELECT u.email AS "user" {ACTIVE}'
"""Every user, for ``doveadm -A``."""


_QUOTA = {
    "2.3": {"quota_rule": f"'*:storage=' || {MEGABYTES} || 'M:messages=' || {MESSAGES}"},
    "2.4": {"quota_storage_size": f"{MEGABYTES} || 'M'", "quota_message_count": MESSAGES},
}
"""The userdb fields for the quota of each generation."""


def dovecot_user(settings: Settings, generation: str) -> str:
    """Dovecot's userdb: where a user's mail is, and how much of it there may be.

    Postfix asks the quota service about the recipient as the client gave it, before aliases: so for this
    service alone, an alias that leads to one mailbox and nowhere else is that mailbox. Of one with several
    targets the message is taken; where there is no room for it, that copy waits.

    + generation: of Dovecot, ``2.3`` or ``2.4``
    """
    name = DOVECOT[generation]
    fields = "".join(f", {value} AS {field}" for field, value in _QUOTA[generation].items())
    if settings.mail_sieve:  # only delivery wants to know, so it is no field of a login
        fields += f", CASE WHEN u.detail_folders THEN 'yes' ELSE 'no' END AS \"{DETAIL_FOLDERS[generation]}\""
    targets = VIRTUAL_ALIASES.replace("%u", name.local_part).replace("%d", name.domain)
    found = (
        f"COALESCE((SELECT m.email FROM mail_users m WHERE m.email = '{name.user}'),"
        f" (SELECT max(t.address) FROM ({targets}) t HAVING count(*) = 1))"
    )
    return (
        f"SELECT {_home(settings)} AS home{fields} {ACTIVE} AND u.email ="
        f" CASE '{name.service}' WHEN 'quota-status' THEN {found} ELSE '{name.user}' END"
    )


def dovecot_password(settings: Settings, generation: str, hashes: Hashes = "all") -> str:
    """Dovecot's passdb; the fields called ``userdb_…`` save the second lookup after a login.

    + generation: of Dovecot, ``2.3`` or ``2.4``
    + hashes: whether only users with a hash of the current scheme are found, or only the others
    """
    current = f"upper(substr(u.password, 1, {len(CURRENT_SCHEME) + 2})) = '{{{CURRENT_SCHEME}}}'"
    narrowed = {"all": "", "current": f" AND {current}", "old": f" AND NOT {current}"}
    return _login(settings, generation, "u.password") + narrowed[hashes]


def dovecot_app_password(settings: Settings, generation: str) -> str:
    """Dovecot's passdb for app passwords: a row, by what was sent, is the proof that it was right.

    + generation: of Dovecot, ``2.3`` or ``2.4``
    """
    nothing = "NULL AS password, 'Y' AS nopassword"
    return f"{_login(settings, generation, nothing)} AND {has_app_password(generation)}"


def dovecot_login(settings: Settings, generation: str) -> str:
    """What Dovecot does after a login: it records it, and finds nobody.

    + generation: of Dovecot, ``2.3`` or ``2.4``
    """
    name = DOVECOT[generation]
    return (
        f"SELECT password FROM mailstack_record_login('{name.user}', '{name.service}',"
        f" {settings.mail_last_login_minutes}) AS password"
    )


def _login(settings: Settings, generation: str, password: str) -> str:
    fields = "".join(f", {value} AS userdb_{field}" for field, value in _QUOTA[generation].items())
    return (
        f'SELECT u.email AS "user", {password}, {_home(settings)} AS userdb_home{fields}'
        f" {may_log_in(generation)}"
    )


def _home(settings: Settings) -> str:
    """``home_directory``, or where it is by default: ``mail_home_root/DOMAIN/LOCAL-PART``."""
    root = settings.mail_home_root.replace("'", "''")
    return f"COALESCE(u.home_directory, '{root}/' || u.domain_name || '/' || split_part(u.email, '@', 1))"
