"""What Postfix and Dovecot ask the database, as far as all engines spell it alike, and what it is for.

Postfix replaces ``%s`` by the whole key, ``%u`` and ``%d`` by its local part and domain, quoted
(pgsql_table(5), mysql_table(5)). Each engine's own ``lookups`` has the rest, and hands these on.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.engines.contract import DOVECOT, SIEVE_SCRIPTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from mailstack.settings import Settings

ACTIVE = "FROM mail_users u JOIN mail_domain d ON d.domain_name = u.domain_name WHERE u.active AND d.active"
ACTIVE_USER = f"SELECT u.email {ACTIVE} AND u.email = {{address}}"
ACTIVE_MAILBOX = ACTIVE_USER + " AND u.can_receive"

VIRTUAL_DOMAINS = (
    "SELECT domain_name FROM mail_domain WHERE domain_name = '%s'"
    " UNION ALL SELECT alias_domain FROM mail_alias_domain WHERE alias_domain = '%s'"
)
"""Disabled domains too: they stay ours, and without a mailbox every address in them is 550. Left out, a
domain would count as remote, and mail from our own users would loop back to us and bounce."""

VIRTUAL_MAILBOXES = ACTIVE_MAILBOX.format(address="'%s'")
"""Any result means that the mailbox exists: LMTP has no use for a path."""

RELAY_DOMAINS = "SELECT domain_name FROM mail_relay_domain WHERE domain_name = '%s'"
"""Disabled ones too, for the reason that ``VIRTUAL_DOMAINS`` has."""

RELAY_RECIPIENTS = (
    "SELECT d.domain_name FROM mail_relay_domain d WHERE d.domain_name = '%d' AND d.active"
    " AND (d.any_recipient OR '%u' = 'postmaster'"
    " OR (SELECT 1 FROM mail_relay_recipient r WHERE r.address = '%s') IS NOT NULL)"
)
"""Any result means that the primary knows the address; a postmaster it must have (RFC 5321, 4.5.1)."""


def own_senders(local: Iterable[str]) -> str:
    """An action for access(5) if the domain is one of ours.

    + local: the domains of the host's own accounts, which are in no table

    access(5) goes on with the domain, its parents and ``user@``: what has no ``%d`` is not asked.
    """
    names = ", ".join(f"'{name}'" for name in local)
    ours = VIRTUAL_DOMAINS.replace("%s", "%d")
    if names:
        ours += f" UNION ALL SELECT name FROM (SELECT '%d' AS name) AS asked WHERE name IN ({names})"
    return f"SELECT '550 5.7.1 This sender address needs a login, on port 465 or 587' FROM ({ours}) AS ours"


def sender_logins(behind: str) -> str:
    """Who may send as this address: its owner; whoever gets its mail by aliases, be it by another name of the
    domain, but not as a wildcard or catch-all; and those to whom it, or its domain, was granted.

    + behind: selects, as ``address``, the mailboxes behind an alias
    """
    return (
        ACTIVE_USER.format(address="'%s'")
        + f" UNION SELECT b.address FROM ({behind}) AS b"
        + " UNION SELECT s.email FROM mail_sender s WHERE s.sender_email IN ('%s', '@%d')"
    )


MEGABYTES = "COALESCE(u.quota_mb, d.user_quota_mb, 0)"
MESSAGES = "COALESCE(u.quota_messages, d.user_quota_messages, 0)"
"""The quotas of a user. In Dovecot, too, 0 is no limit."""

HAS_QUOTA = f"({MEGABYTES} > 0 OR {MESSAGES} > 0)"


def selected(fields: Mapping[str, str], prefix: str = "") -> str:
    """What a SELECT returns beside other things: ``fields``, by name, each with its SQL."""
    return "".join(f', {sql} AS "{prefix}{field}"' for field, sql in fields.items())


def quota_warnings(settings: Settings, generation: str) -> dict[str, str]:
    """The userdb field, and its SQL, that keeps Dovecot's quota warnings to users who have a quota.

    To know whether a warning is due, Dovecot reads the mailbox once more after each message, which takes a
    sixth of the work of a delivery, and more where there is much mail. 2.3 reads its list of warnings up to
    the first that is missing, so that one comes from here; in 2.4 the list is emptied.

    + generation: of Dovecot, ``2.3`` or ``2.4``
    """
    if not settings.mail_quota_warnings:
        return {}
    if generation == "2.4":
        return {"quota/User quota/quota_warning": f"CASE WHEN {HAS_QUOTA} THEN NULL ELSE '' END"}
    first = settings.mail_quota_warnings[0]
    # doubled for the query, and once more for the setting, in which Dovecot replaces %u and %h
    rule = f"storage={first}%%%% quota-warning {first} %%u %%h"
    return {"quota_warning": f"CASE WHEN {HAS_QUOTA} THEN '{rule}' END"}


def detail_script(settings: Settings, generation: str) -> dict[str, str]:
    """The userdb field, and its SQL, that gives the script for user+folder to those who want it.

    Not to all: for a user with a script, Dovecot writes the list of the mailbox anew with each message.

    + generation: of Dovecot, ``2.3`` or ``2.4``
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
    """The userdb field, and its SQL, that hides shared folders from an account with a former one's address.

    Rights that others granted to that address would be the new account's, until a run has revoked them.
    """
    if not settings.mail_shared_folders:
        return {}
    former = "EXISTS (SELECT 1 FROM mail_former_addresses f WHERE f.email = u.email)"
    return {"namespace/shared/disabled": f"CASE WHEN {former} THEN 'yes' END"}


def may_log_in(generation: str) -> str:
    """The user who logs in. Who may not send can't log in to Postfix, whose service is ``smtp``: so they
    can't use the empty sender either, which belongs to nobody.

    A name that is not ASCII comes as its digest (``auth_username_format``), which has 64 digits and no ``@``.
    """
    name = DOVECOT[generation]
    by_digest = (
        f"LENGTH('{name.user}') = 64 AND POSITION('@' IN '{name.user}') = 0"
        f" AND u.email = mailstack_unicode_login('{name.user}')"
    )
    return (
        f"{ACTIVE} AND (u.email = '{name.user}' OR {by_digest})"
        f" AND (u.can_send OR '{name.service}' <> 'smtp')"
    )


def has_app_password(generation: str) -> str:
    """What the client sent is one of the user's app passwords, and good for this service."""
    name = DOVECOT[generation]
    return (
        "EXISTS (SELECT 1 FROM mail_app_password a"
        f" WHERE a.email = u.email AND a.digest = '{name.app_digest}' AND (a.service = 'all'"
        f" OR a.service = 'imap' AND '{name.service}' IN ('imap', 'pop3') OR a.service = '{name.service}'))"
    )
