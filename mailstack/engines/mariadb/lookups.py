"""What Postfix and Dovecot ask MariaDB, beside what ``mailstack.engines.lookups`` has for every engine.

What each query is for, the lookups of PostgreSQL say. A literal takes charset and collation of the
connection, so a key that is not compared with a column directly is converted: addresses differ in every byte.
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


def _key(text: str) -> str:
    """A key as a column of the tables has it; the length is that of the longest address."""
    return f"CAST({text} AS CHAR(254) CHARACTER SET utf8mb4) COLLATE utf8mb4_nopad_bin"


_USER, _DOMAIN, _NONE = map(_key, ("'%u'", "'%d'", "NULL"))
_ADDRESS = "CONCAT(h.local, '@', h.domain)"
_TARGET = (
    "SELECT SUBSTRING_INDEX(SUBSTRING_INDEX({0}.destination_email, '@', 1), '+', 1),"
    " SUBSTRING_INDEX({0}.destination_email, '@', -1), {0}.destination_email,"
    " h.tagged OR LOCATE('+', {0}.destination_email) > 0"
)
# MariaDB has no LATERAL, but a recursive query may have several recursive parts; STRAIGHT_JOIN begins with
# the few hops, whatever the optimizer thinks of them.
_BY_NAME = (
    f"{_TARGET.format('a')} FROM hop h STRAIGHT_JOIN mail_alias a ON a.source_email = {_ADDRESS}"
    f" WHERE a.active AND {DOMAIN_ACTIVE}",
    "SELECT h.local, x.domain_name, CONCAT(h.local, '@', x.domain_name), h.tagged"
    " FROM hop h STRAIGHT_JOIN mail_alias_domain x ON x.alias_domain = h.domain WHERE x.active",
)
_LEFT_OVER = (
    f"{_TARGET.format('w')} FROM hop h STRAIGHT_JOIN mail_wildcard w ON w.local_part = h.local"
    f" WHERE w.active AND {DOMAIN_ACTIVE} AND {nothing_there(_ADDRESS)}",
    f"{_TARGET.format('a')} FROM hop h STRAIGHT_JOIN mail_alias a ON a.source_email = CONCAT('@', h.domain)"
    f" WHERE a.active AND {DOMAIN_ACTIVE} AND {nothing_there(_ADDRESS)} AND h.local <> 'postmaster'"
    f" AND {NO_WILDCARD}",
)


def _hops(*ways: str) -> str:
    """See ``mailstack.engines.postgresql.lookups``."""
    return (
        f"WITH RECURSIVE hop (local, domain, address, tagged) AS (SELECT {_USER}, {_DOMAIN}, {_NONE}, FALSE"
        f" FROM DUAL WHERE LOCATE('+', '%u') = 0 UNION {' UNION '.join(ways)})"
    )


VIRTUAL_ALIASES = (
    f"{_hops(*_BY_NAME, *_LEFT_OVER)} SELECT DISTINCT h.address FROM hop h"
    f" WHERE h.address IS NOT NULL AND {deliverable(_ADDRESS)}"
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


def dovecot_user(settings: Settings, generation: str) -> str:
    """See ``mailstack.engines.postgresql.lookups.dovecot_user``."""
    name = DOVECOT[generation]
    fields = "".join(f", {value} AS {field}" for field, value in _QUOTA[generation].items())
    if settings.mail_sieve:
        fields += f", IF(u.detail_folders, 'yes', 'no') AS `{DETAIL_FOLDERS[generation]}`"
    targets = VIRTUAL_ALIASES.replace("%u", name.local_part).replace("%d", name.domain)
    found = (
        f"COALESCE((SELECT m.email FROM mail_users m WHERE m.email = '{name.user}'),"
        f" (SELECT MAX(t.address) FROM ({targets}) t HAVING COUNT(*) = 1))"
    )
    return (
        f"SELECT {_home(settings)} AS home{fields} {ACTIVE} AND u.email ="
        f" CASE '{name.service}' WHEN 'quota-status' THEN {found} ELSE '{name.user}' END"
    )


def dovecot_password(settings: Settings, generation: str, hashes: Hashes = "all") -> str:
    """See ``mailstack.engines.postgresql.lookups.dovecot_password``."""
    current = f"UPPER(SUBSTR(u.password, 1, {len(CURRENT_SCHEME) + 2})) = '{{{CURRENT_SCHEME}}}'"
    narrowed = {"all": "", "current": f" AND {current}", "old": f" AND NOT {current}"}
    return _login(settings, generation, "u.password") + narrowed[hashes]


def dovecot_app_password(settings: Settings, generation: str) -> str:
    """See ``mailstack.engines.postgresql.lookups.dovecot_app_password``."""
    nothing = "NULL AS password, 'Y' AS nopassword"
    return f"{_login(settings, generation, nothing)} AND {has_app_password(generation)}"


def dovecot_login(settings: Settings, generation: str) -> str:
    """See ``mailstack.engines.postgresql.lookups``; what records it returns false."""
    name = DOVECOT[generation]
    return (
        "SET STATEMENT innodb_lock_wait_timeout = 1, lock_wait_timeout = 1 FOR"
        " SELECT NULL AS password FROM DUAL WHERE"
        f" mailstack_record_login('{name.user}', '{name.service}', {settings.mail_last_login_minutes})"
    )


def _login(settings: Settings, generation: str, password: str) -> str:
    fields = "".join(f", {value} AS userdb_{field}" for field, value in _QUOTA[generation].items())
    return (
        f"SELECT u.email AS `user`, {password}, {_home(settings)} AS userdb_home{fields}"
        f" {may_log_in(generation)}"
    )


def _home(settings: Settings) -> str:
    root = literal(f"{settings.mail_home_root}/")
    below = f"CONCAT({root}, u.domain_name, '/', SUBSTRING_INDEX(u.email, '@', 1))"
    return f"COALESCE(u.home_directory, {below})"
