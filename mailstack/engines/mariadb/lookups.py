"""MariaDB's queries for Postfix and Dovecot, beside those of all engines in ``mailstack.engines.lookups``.

PostgreSQL's lookups and its ``functions/lookups.sql`` explain each query. A literal has the charset and
collation of the connection. So a key is converted unless it is compared with a column, as addresses are
compared byte by byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.engines.contract import DOVECOT
from mailstack.engines.lookups import (
    ACTIVE,
    ACTIVE_MAILBOX,
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
    mail_storage,
    own_senders,
    quota_warnings,
    selected,
    sender_logins,
    shared_folders,
)
from mailstack.engines.mariadb.quoting import literal
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
    "recipient_class",
    "virtual_aliases",
]


def _key(text: str) -> str:
    """Return a key with the type of the tables' columns; the length is that of the longest address."""
    return f"CAST({text} AS CHAR(254) CHARACTER SET utf8mb4) COLLATE utf8mb4_nopad_bin"


_USER, _DOMAIN, _NONE = map(_key, ("'%u'", "'%d'", "NULL"))
_ADDRESS = "CONCAT(h.local, '@', h.domain)"
# Conditions on a hop are scalar subqueries, each of one row by its key.
_DOMAIN_ACTIVE = "(SELECT d.active FROM mail_domain d WHERE d.domain_name = h.domain)"
_NO_WILDCARD = "(SELECT 1 FROM mail_wildcard w WHERE w.local_part = h.local AND w.active LIMIT 1) IS NULL"
_NOTHING_THERE = (
    f"(SELECT 1 FROM mail_users u WHERE u.email = {_ADDRESS}) IS NULL"
    f" AND (SELECT 1 FROM mail_alias a WHERE a.source_email = {_ADDRESS} LIMIT 1) IS NULL"
)
_TARGET = (
    "SELECT LOWER(SUBSTRING_INDEX(SUBSTRING_INDEX({0}.destination_email, '@', 1), '+', 1)),"
    " SUBSTRING_INDEX({0}.destination_email, '@', -1), {0}.destination_email,"
    " h.tagged OR LOCATE('+', {0}.destination_email) > 0"
)
# MariaDB has no LATERAL, but a recursive query may have several recursive parts. STRAIGHT_JOIN forces the
# optimizer to begin with the few hops.
_BY_NAME = (
    f"{_TARGET.format('a')} FROM hop h STRAIGHT_JOIN mail_alias a ON a.source_email = {_ADDRESS}"
    f" WHERE a.active AND {_DOMAIN_ACTIVE}",
    "SELECT h.local, x.domain_name, CONCAT(h.local, '@', x.domain_name), h.tagged"
    " FROM hop h STRAIGHT_JOIN mail_alias_domain x ON x.alias_domain = h.domain WHERE x.active",
)
_LEFT_OVER = (
    f"{_TARGET.format('w')} FROM hop h STRAIGHT_JOIN mail_wildcard w ON w.local_part = h.local"
    f" WHERE w.active AND {_DOMAIN_ACTIVE} AND {_NOTHING_THERE}",
    f"{_TARGET.format('a')} FROM hop h STRAIGHT_JOIN mail_alias a ON a.source_email = CONCAT('@', h.domain)"
    f" WHERE a.active AND {_DOMAIN_ACTIVE} AND {_NOTHING_THERE} AND h.local <> 'postmaster'"
    f" AND {_NO_WILDCARD}",
)


def _hops(*ways: str) -> str:
    """See ``mailstack.engines.postgresql.lookups``."""
    return (
        f"WITH RECURSIVE hop (local, domain, address, tagged) AS (SELECT {_USER}, {_DOMAIN}, {_NONE}, FALSE"
        f" FROM DUAL WHERE LOCATE('+', '%u') = 0 UNION {' UNION '.join(ways)})"
    )


_MAILBOX = f"({ACTIVE_MAILBOX.format(address=_ADDRESS)})"
_TARGETS = (
    f"SELECT DISTINCT IF({_MAILBOX} IS NULL, h.address, LOWER(h.address)) AS address FROM hop h"
    f" WHERE h.address IS NOT NULL AND ({_MAILBOX} IS NOT NULL"
    " OR (SELECT 1 FROM mail_domain d WHERE d.domain_name = h.domain) IS NULL"
    " AND (SELECT 1 FROM mail_alias_domain x WHERE x.alias_domain = h.domain) IS NULL)"
    f" AND NOT EXISTS (SELECT 1 FROM hop c WHERE c.tagged AND c.local = {_USER} AND c.domain = {_DOMAIN})"
)

SENDER_LOGINS = sender_logins(
    f"{_hops(*_BY_NAME)} SELECT {_ADDRESS} AS address FROM hop h WHERE h.address IS NOT NULL"
)

DOVECOT_ITERATE = f"SELECT u.email AS `user` {ACTIVE}"


_QUOTA = {
    "2.3": {"quota_rule": f"CONCAT('*:storage=', {MEGABYTES}, 'M:messages=', {MESSAGES})"},
    "2.4": {"quota_storage_size": f"CONCAT({MEGABYTES}, 'M')", "quota_message_count": MESSAGES},
}


def virtual_aliases(postmaster: str) -> str:
    """See ``mailstack.engines.postgresql.lookups``, and the functions that it calls."""
    domain = "SELECT domain_name FROM mail_domain WHERE active AND domain_name = '%d'"
    alias_domain = "SELECT alias_domain FROM mail_alias_domain WHERE active AND alias_domain = '%d'"
    found = (
        f"SELECT 1 AS choice, t.address FROM ({_TARGETS}) AS t"
        f" UNION ALL SELECT 2, m.email FROM ({VIRTUAL_MAILBOXES}) AS m"
        f" UNION ALL SELECT 3, {literal(postmaster)} FROM ({domain} UNION ALL {alias_domain}) AS ours"
        " WHERE '%u' = 'postmaster'"
    )
    return (
        f"{_hops(*_BY_NAME, *_LEFT_OVER)} SELECT best.address FROM"
        f" (SELECT address, choice, MIN(choice) OVER () AS first FROM ({found}) AS found) AS best"
        " WHERE best.choice = best.first"
    )


def recipient_class(postmaster: str) -> str | None:
    """Return none: without functions, this query would take longer than the two that it saves."""
    return None


def dovecot_user(settings: Settings, generation: str) -> str:
    """See ``mailstack.engines.postgresql.lookups.dovecot_user``."""
    name = DOVECOT[generation]
    fields = {
        **mail_storage(generation),
        **_QUOTA[generation],
        **quota_warnings(settings, generation, HAS_QUOTA),
        **detail_script(settings, generation),
        **shared_folders(settings),
    }
    targets = f"{_hops(*_BY_NAME, *_LEFT_OVER)} {_TARGETS}"
    targets = targets.replace("%u", name.local_part).replace("%d", name.domain)
    found = (
        f"COALESCE((SELECT m.email FROM mail_users m WHERE m.email = '{name.user}'),"
        f" (SELECT MAX(t.address) FROM ({targets}) t HAVING COUNT(*) = 1))"
    )
    return (
        f"SELECT {_home(settings)} AS home{selected(fields)} {ACTIVE} AND u.email ="
        f" CASE '{name.service}' WHEN 'quota-status' THEN {found} ELSE '{name.user}' END"
        f" AND ('{name.service}' <> 'quota-status' OR {HAS_QUOTA})"
    )


def dovecot_password(settings: Settings, generation: str, hashes: Hashes = "all") -> str:
    """See ``mailstack.engines.postgresql.lookups.dovecot_password``."""
    current = f"UPPER(SUBSTR(u.password, 1, {len(CURRENT_SCHEME) + 2})) = '{{{CURRENT_SCHEME}}}'"
    narrowed = {"all": "", "current": f" AND {current}", "old": f" AND NOT {current}"}
    return _login(settings, generation, "u.password") + narrowed[hashes]


def dovecot_app_password(settings: Settings, generation: str) -> str:
    """See ``mailstack.engines.postgresql.lookups.dovecot_app_password``."""
    nothing = "NULL AS password, 'Y' AS nopassword"
    return f"{_login(settings, generation, nothing)} AND {has_app_password(settings, generation)}"


def dovecot_login(settings: Settings, generation: str) -> str:
    """See ``mailstack.engines.postgresql.lookups``. The function that records returns false, so no row."""
    name = DOVECOT[generation]
    return (
        "SET STATEMENT innodb_lock_wait_timeout = 1, lock_wait_timeout = 1 FOR"
        " SELECT NULL AS password FROM DUAL WHERE"
        f" mailstack_record_login('{name.user}', '{name.service}', {settings.mail_last_login_minutes})"
    )


def _login(settings: Settings, generation: str, password: str) -> str:
    fields = {
        **mail_storage(generation),
        **_QUOTA[generation],
        **quota_warnings(settings, generation, HAS_QUOTA),
        **shared_folders(settings),
    }
    return (
        f"SELECT u.email AS `user`, {password}, {_home(settings)} AS userdb_home{selected(fields, 'userdb_')}"
        f" {_may_log_in(generation)}"
    )


def _may_log_in(generation: str) -> str:
    """Return the SQL that selects the user who logs in; PostgreSQL's ``mailstack_login`` explains it."""
    name = DOVECOT[generation]
    by_digest = (
        f"LENGTH('{name.user}') = 64 AND POSITION('@' IN '{name.user}') = 0"
        f" AND u.email = mailstack_unicode_login('{name.user}')"
    )
    return (
        f"{ACTIVE} AND (u.email = '{name.user}' OR {by_digest})"
        f" AND (u.can_send OR '{name.service}' <> 'smtp')"
    )


def _home(settings: Settings) -> str:
    below = f"CONCAT({literal(f'{settings.mail_home_root}/')}, u.mail_directory)"
    return f"COALESCE(u.home_directory, {below})"
