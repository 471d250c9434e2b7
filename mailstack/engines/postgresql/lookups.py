"""What Postfix and Dovecot ask the database.

Postfix replaces ``%s`` by the whole key, ``%u`` and ``%d`` by its local part and domain, quoted
(pgsql_table(5)); a query runs on PostgreSQL as it stands here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.engines.contract import DOVECOT
from mailstack.passwords import CURRENT_SCHEME

if TYPE_CHECKING:
    from mailstack.engines.contract import Hashes
    from mailstack.settings import Settings

_ACTIVE_USER = (
    "SELECT u.email FROM mail_users u JOIN mail_domain d ON d.domain_name = u.domain_name"
    " WHERE u.active AND d.active AND u.email = {address}"
)
_ACTIVE_MAILBOX = _ACTIVE_USER + " AND u.can_receive"

VIRTUAL_DOMAINS = (
    "SELECT domain_name FROM mail_domain WHERE domain_name = '%s'"
    " UNION ALL SELECT alias_domain FROM mail_alias_domain WHERE alias_domain = '%s'"
)
"""Disabled domains too: they stay ours, and without a mailbox every address in them is 550. Left out, a
domain would count as remote, and mail from our own users would loop back to us and bounce."""

VIRTUAL_MAILBOXES = _ACTIVE_MAILBOX.format(address="'%s'")
"""Any result means that the mailbox exists: LMTP has no use for a path."""

# Scalar subqueries, each of one row by its key: for joins or EXISTS PostgreSQL would read whole tables, as
# it can't know that chains of aliases are short.
_DOMAIN_ACTIVE = "(SELECT d.active FROM mail_domain d WHERE d.domain_name = h.domain)"
_NOTHING_THERE = (
    "(SELECT 1 FROM mail_users u WHERE u.email = h.local || '@' || h.domain) IS NULL"
    " AND (SELECT 1 FROM mail_alias a WHERE a.source_email = h.local || '@' || h.domain LIMIT 1) IS NULL"
)
_NEXT = " UNION ALL ".join(
    [
        "SELECT a.destination_email AS address FROM mail_alias a"
        f" WHERE a.source_email = h.local || '@' || h.domain AND a.active AND {_DOMAIN_ACTIVE}",
        "SELECT h.local || '@' || x.domain_name FROM mail_alias_domain x"
        " WHERE x.alias_domain = h.domain AND x.active",
        "SELECT w.destination_email FROM mail_wildcard w"
        f" WHERE w.local_part = h.local AND w.active AND {_DOMAIN_ACTIVE} AND {_NOTHING_THERE}",
        "SELECT a.destination_email FROM mail_alias a"
        f" WHERE a.source_email = '@' || h.domain AND a.active AND {_DOMAIN_ACTIVE} AND {_NOTHING_THERE}"
        " AND h.local <> 'postmaster'"
        " AND (SELECT 1 FROM mail_wildcard w WHERE w.local_part = h.local AND w.active LIMIT 1) IS NULL",
    ]
)
VIRTUAL_ALIASES = (
    "WITH RECURSIVE hop (local, domain, address) AS ("
    "SELECT '%u', '%d', NULL WHERE '%u' !~ '[+]' UNION "
    "SELECT split_part(split_part(n.address, '@', 1), '+', 1), split_part(n.address, '@', 2), n.address"
    f" FROM hop h CROSS JOIN LATERAL ({_NEXT}) n"
    ") SELECT DISTINCT h.address FROM hop h WHERE h.address IS NOT NULL AND (("
    + _ACTIVE_MAILBOX.format(address="h.local || '@' || h.domain")
    + ") IS NOT NULL OR (SELECT 1 FROM mail_domain d WHERE d.domain_name = h.domain) IS NULL"
    " AND (SELECT 1 FROM mail_alias_domain x WHERE x.alias_domain = h.domain) IS NULL)"
)
"""Where the mail of an address goes that is not a mailbox's own: aliases, else the other name of its domain,
else the wildcard for its local part, else the domain's catch-all. A mailbox or an alias, active or not, has
its address to itself.

Follows chains to the end and returns only what can be delivered: mailboxes that are active, and remote
addresses. An alias that leads nowhere, or in a circle, so does not exist, and is 550 at RCPT rather than a
bounce or a 451 for ever.

Sub-addresses are not answered: Postfix then asks without the ``+detail`` and adds it to the result. Nor is
``@domain``, for which ``%u`` is empty; Postfix would take that for an answer whatever the address."""

VIRTUAL_IDENTITY = VIRTUAL_MAILBOXES
"""Each mailbox is an alias for itself, so that a static ``@domain`` of virtual(5) does not take its mail."""

SENDER_LOGINS = (
    _ACTIVE_USER.format(address="'%s'")
    + " UNION SELECT a.destination_email FROM mail_alias a"
    + " JOIN mail_domain d ON d.domain_name = a.domain_name"
    + " WHERE a.active AND d.active AND a.source_email = '%s'"
    + " UNION SELECT u.email FROM mail_alias_domain x JOIN mail_users u"
    " ON u.email = split_part('%s', '@', 1) || '@' || x.domain_name"
    " WHERE x.active AND x.alias_domain = '%d'"
    + " UNION SELECT s.email FROM mail_sender s WHERE s.sender_email IN ('%s', '@%d')"
)
"""Who may send as this address: its owner, also by another name of the domain; those that an alias of this
name delivers to; and those to whom it, or its domain, was granted."""

OWN_SENDERS = (
    "SELECT '550 5.7.1 This sender address needs a login, on port 465 or 587'"
    f" FROM ({VIRTUAL_DOMAINS}) AS ours"
)
"""An action for access(5) if the domain is one of ours."""


RELAY_DOMAINS = "SELECT domain_name FROM mail_relay_domain WHERE domain_name = '%s'"
"""Disabled ones too, for the reason that ``VIRTUAL_DOMAINS`` has."""

RELAY_RECIPIENTS = (
    "SELECT d.domain_name FROM mail_relay_domain d WHERE d.domain_name = '%d' AND d.active"
    " AND (d.any_recipient OR '%u' = 'postmaster'"
    " OR (SELECT 1 FROM mail_relay_recipient r WHERE r.address = '%s') IS NOT NULL)"
)
"""Any result means that the primary knows the address; a postmaster it must have (RFC 5321, 4.5.1)."""


def virtual_postmaster(target: str) -> str:
    """RFC 5321, 4.5.1: every domain has a postmaster, even if nobody made one.

    + target: the address that gets its mail
    """
    literal = target.replace("'", "''")
    return (
        f"SELECT '{literal}' FROM (SELECT 1 FROM mail_domain WHERE active AND domain_name = '%d' UNION ALL"
        " SELECT 1 FROM mail_alias_domain WHERE active AND alias_domain = '%d') AS ours"
        " WHERE '%u' = 'postmaster'"
    )


_ACTIVE = "FROM mail_users u JOIN mail_domain d ON d.domain_name = u.domain_name WHERE u.active AND d.active"

DOVECOT_ITERATE = f'SELECT u.email AS "user" {_ACTIVE}'
"""Every user, for ``doveadm -A``."""


_MEGABYTES = "COALESCE(u.quota_mb, d.user_quota_mb, 0)"
_MESSAGES = "COALESCE(u.quota_messages, d.user_quota_messages, 0)"
_QUOTA = {
    "2.3": {"quota_rule": f"'*:storage=' || {_MEGABYTES} || 'M:messages=' || {_MESSAGES}"},
    "2.4": {"quota_storage_size": f"{_MEGABYTES} || 'M'", "quota_message_count": _MESSAGES},
}
"""The userdb fields for the quota of each generation. In Dovecot, too, 0 is no limit."""


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
        fields += f", {_DETAIL_FOLDERS[generation]}"
    targets = VIRTUAL_ALIASES.replace("%u", name.local_part).replace("%d", name.domain)
    found = (
        f"COALESCE((SELECT m.email FROM mail_users m WHERE m.email = '{name.user}'),"
        f" (SELECT max(t.address) FROM ({targets}) t HAVING count(*) = 1))"
    )
    return (
        f"SELECT {_home(settings)} AS home{fields} {_ACTIVE} AND u.email ="
        f" CASE '{name.service}' WHEN 'quota-status' THEN {found} ELSE '{name.user}' END"
    )


def dovecot_password(settings: Settings, generation: str, hashes: Hashes = "all") -> str:
    """Dovecot's passdb; the fields called ``userdb_…`` save the second lookup after a login.

    Who may not send can't log in to Postfix, whose service is ``smtp``: so they can't use the empty sender
    either, which belongs to nobody.

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
    name = DOVECOT[generation]
    return (
        _login(settings, generation, "NULL AS password, 'Y' AS nopassword")
        + " AND EXISTS (SELECT 1 FROM mail_app_password a"
        + f" WHERE a.email = u.email AND a.digest = '{name.app_digest}' AND (a.service = 'all'"
        + f" OR a.service = 'imap' AND '{name.service}' IN ('imap', 'pop3') OR a.service = '{name.service}'))"
    )


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
    name = DOVECOT[generation]
    fields = "".join(f", {value} AS userdb_{field}" for field, value in _QUOTA[generation].items())
    return (
        f'SELECT u.email AS "user", {password}, {_home(settings)} AS userdb_home{fields}'
        f" {_ACTIVE} AND u.email = '{name.user}' AND (u.can_send OR '{name.service}' <> 'smtp')"
    )


_DETAIL_FOLDERS = {
    generation: f"CASE WHEN u.detail_folders THEN 'yes' ELSE 'no' END AS \"{field}\""
    for generation, field in (
        ("2.3", "sieve_env_detail_folders"),
        ("2.4", "sieve_environment/detail_folders"),
    )
}
"""What detail.sieve finds in its environment."""


def _home(settings: Settings) -> str:
    """``home_directory``, or where it is by default: ``mail_home_root/DOMAIN/LOCAL-PART``."""
    root = settings.mail_home_root.replace("'", "''")
    return f"COALESCE(u.home_directory, '{root}/' || u.domain_name || '/' || split_part(u.email, '@', 1))"
