"""What Postfix and Dovecot ask MariaDB; what each query is for, the lookups of PostgreSQL say.

Postfix replaces ``%s`` by the whole key, ``%u`` and ``%d`` by its local part and domain, quoted
(mysql_table(5)). A literal takes charset and collation of the connection, so a key that is not compared
with a column directly is converted: addresses differ in every byte.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.engines.contract import DOVECOT
from mailstack.engines.mariadb.quoting import literal
from mailstack.passwords import CURRENT_SCHEME

if TYPE_CHECKING:
    from mailstack.engines.contract import Hashes
    from mailstack.settings import Settings

_ACTIVE = "FROM mail_users u JOIN mail_domain d ON d.domain_name = u.domain_name WHERE u.active AND d.active"
_ACTIVE_USER = f"SELECT u.email {_ACTIVE} AND u.email = {{address}}"
_ACTIVE_MAILBOX = _ACTIVE_USER + " AND u.can_receive"

VIRTUAL_DOMAINS = (
    "SELECT domain_name FROM mail_domain WHERE domain_name = '%s'"
    " UNION ALL SELECT alias_domain FROM mail_alias_domain WHERE alias_domain = '%s'"
)

VIRTUAL_MAILBOXES = _ACTIVE_MAILBOX.format(address="'%s'")


def _key(text: str) -> str:
    """A key as a column of the tables has it; the length is that of the longest address."""
    return f"CAST({text} AS CHAR(254) CHARACTER SET utf8mb4) COLLATE utf8mb4_nopad_bin"


_WHOLE, _USER, _DOMAIN, _NONE = map(_key, ("'%s'", "'%u'", "'%d'", "NULL"))
_ADDRESS = "CONCAT(h.local, '@', h.domain)"
_DOMAIN_ACTIVE = "(SELECT d.active FROM mail_domain d WHERE d.domain_name = h.domain)"
_NOTHING_THERE = (
    f"(SELECT 1 FROM mail_users u WHERE u.email = {_ADDRESS}) IS NULL"
    f" AND (SELECT 1 FROM mail_alias a WHERE a.source_email = {_ADDRESS} LIMIT 1) IS NULL"
)
_TARGET = (
    "SELECT SUBSTRING_INDEX(SUBSTRING_INDEX({0}.destination_email, '@', 1), '+', 1),"
    " SUBSTRING_INDEX({0}.destination_email, '@', -1), {0}.destination_email"
)
# MariaDB has no LATERAL, but a recursive query may have several recursive parts; STRAIGHT_JOIN begins with
# the few hops, whatever the optimizer thinks of them.
_NEXT = " UNION ".join(
    [
        f"{_TARGET.format('a')} FROM hop h STRAIGHT_JOIN mail_alias a ON a.source_email = {_ADDRESS}"
        f" WHERE a.active AND {_DOMAIN_ACTIVE}",
        "SELECT h.local, x.domain_name, CONCAT(h.local, '@', x.domain_name)"
        " FROM hop h STRAIGHT_JOIN mail_alias_domain x ON x.alias_domain = h.domain WHERE x.active",
        f"{_TARGET.format('w')} FROM hop h STRAIGHT_JOIN mail_wildcard w ON w.local_part = h.local"
        f" WHERE w.active AND {_DOMAIN_ACTIVE} AND {_NOTHING_THERE}",
        f"{_TARGET.format('a')} FROM hop h STRAIGHT_JOIN mail_alias a"
        " ON a.source_email = CONCAT('@', h.domain)"
        f" WHERE a.active AND {_DOMAIN_ACTIVE} AND {_NOTHING_THERE} AND h.local <> 'postmaster'"
        " AND (SELECT 1 FROM mail_wildcard w WHERE w.local_part = h.local AND w.active LIMIT 1) IS NULL",
    ]
)
VIRTUAL_ALIASES = (
    f"WITH RECURSIVE hop (local, domain, address) AS (SELECT {_USER}, {_DOMAIN}, {_NONE}"
    f" FROM DUAL WHERE LOCATE('+', '%u') = 0 UNION {_NEXT})"
    " SELECT DISTINCT h.address FROM hop h WHERE h.address IS NOT NULL AND (("
    + _ACTIVE_MAILBOX.format(address=_ADDRESS)
    + ") IS NOT NULL OR (SELECT 1 FROM mail_domain d WHERE d.domain_name = h.domain) IS NULL"
    " AND (SELECT 1 FROM mail_alias_domain x WHERE x.alias_domain = h.domain) IS NULL)"
)

VIRTUAL_IDENTITY = VIRTUAL_MAILBOXES

SENDER_LOGINS = (
    _ACTIVE_USER.format(address="'%s'")
    + " UNION SELECT a.destination_email FROM mail_alias a"
    + " JOIN mail_domain d ON d.domain_name = a.domain_name"
    + " WHERE a.active AND d.active AND a.source_email = '%s'"
    + " UNION SELECT u.email FROM mail_alias_domain x JOIN mail_users u"
    f" ON u.email = CONCAT(SUBSTRING_INDEX({_WHOLE}, '@', 1), '@', x.domain_name)"
    " WHERE x.active AND x.alias_domain = '%d'"
    + " UNION SELECT s.email FROM mail_sender s WHERE s.sender_email IN ('%s', '@%d')"
)

OWN_SENDERS = (
    "SELECT '550 5.7.1 This sender address needs a login, on port 465 or 587'"
    f" FROM ({VIRTUAL_DOMAINS}) AS ours"
)


RELAY_DOMAINS = "SELECT domain_name FROM mail_relay_domain WHERE domain_name = '%s'"

RELAY_RECIPIENTS = (
    "SELECT d.domain_name FROM mail_relay_domain d WHERE d.domain_name = '%d' AND d.active"
    " AND (d.any_recipient OR '%u' = 'postmaster'"
    " OR (SELECT 1 FROM mail_relay_recipient r WHERE r.address = '%s') IS NOT NULL)"
)


def virtual_postmaster(target: str) -> str:
    """See ``mailstack.engines.postgresql.lookups.virtual_postmaster``."""
    return (
        f"SELECT {literal(target)} FROM (SELECT 1 FROM mail_domain WHERE active AND domain_name = '%d'"
        " UNION ALL SELECT 1 FROM mail_alias_domain WHERE active AND alias_domain = '%d') AS ours"
        " WHERE '%u' = 'postmaster'"
    )


DOVECOT_ITERATE = f"SELECT u.email AS `user` {_ACTIVE}"


_MEGABYTES = "COALESCE(u.quota_mb, d.user_quota_mb, 0)"
_MESSAGES = "COALESCE(u.quota_messages, d.user_quota_messages, 0)"
_QUOTA = {
    "2.3": {"quota_rule": f"CONCAT('*:storage=', {_MEGABYTES}, 'M:messages=', {_MESSAGES})"},
    "2.4": {"quota_storage_size": f"CONCAT({_MEGABYTES}, 'M')", "quota_message_count": _MESSAGES},
}


def dovecot_user(settings: Settings, generation: str) -> str:
    """See ``mailstack.engines.postgresql.lookups.dovecot_user``."""
    name = DOVECOT[generation]
    fields = "".join(f", {value} AS {field}" for field, value in _QUOTA[generation].items())
    if settings.mail_sieve:
        fields += f", IF(u.detail_folders, 'yes', 'no') AS `{_DETAIL_FOLDERS[generation]}`"
    targets = VIRTUAL_ALIASES.replace("%u", name.local_part).replace("%d", name.domain)
    found = (
        f"COALESCE((SELECT m.email FROM mail_users m WHERE m.email = '{name.user}'),"
        f" (SELECT MAX(t.address) FROM ({targets}) t HAVING COUNT(*) = 1))"
    )
    return (
        f"SELECT {_home(settings)} AS home{fields} {_ACTIVE} AND u.email ="
        f" CASE '{name.service}' WHEN 'quota-status' THEN {found} ELSE '{name.user}' END"
    )


def dovecot_password(settings: Settings, generation: str, hashes: Hashes = "all") -> str:
    """See ``mailstack.engines.postgresql.lookups.dovecot_password``."""
    current = f"UPPER(SUBSTR(u.password, 1, {len(CURRENT_SCHEME) + 2})) = '{{{CURRENT_SCHEME}}}'"
    narrowed = {"all": "", "current": f" AND {current}", "old": f" AND NOT {current}"}
    return _login(settings, generation, "u.password") + narrowed[hashes]


def dovecot_app_password(settings: Settings, generation: str) -> str:
    """See ``mailstack.engines.postgresql.lookups.dovecot_app_password``."""
    name = DOVECOT[generation]
    return (
        _login(settings, generation, "NULL AS password, 'Y' AS nopassword")
        + " AND EXISTS (SELECT 1 FROM mail_app_password a"
        + f" WHERE a.email = u.email AND a.digest = '{name.app_digest}' AND (a.service = 'all'"
        + f" OR a.service = 'imap' AND '{name.service}' IN ('imap', 'pop3') OR a.service = '{name.service}'))"
    )


def dovecot_login(settings: Settings, generation: str) -> str:
    """See ``mailstack.engines.postgresql.lookups``; what records it returns false."""
    name = DOVECOT[generation]
    return (
        "SET STATEMENT innodb_lock_wait_timeout = 1, lock_wait_timeout = 1 FOR"
        " SELECT NULL AS password FROM DUAL WHERE"
        f" mailstack_record_login('{name.user}', '{name.service}', {settings.mail_last_login_minutes})"
    )


def _login(settings: Settings, generation: str, password: str) -> str:
    name = DOVECOT[generation]
    fields = "".join(f", {value} AS userdb_{field}" for field, value in _QUOTA[generation].items())
    return (
        f"SELECT u.email AS `user`, {password}, {_home(settings)} AS userdb_home{fields}"
        f" {_ACTIVE} AND u.email = '{name.user}' AND (u.can_send OR '{name.service}' <> 'smtp')"
    )


_DETAIL_FOLDERS = {"2.3": "sieve_env_detail_folders", "2.4": "sieve_environment/detail_folders"}


def _home(settings: Settings) -> str:
    root = literal(f"{settings.mail_home_root}/")
    below = f"CONCAT({root}, u.domain_name, '/', SUBSTRING_INDEX(u.email, '@', 1))"
    return f"COALESCE(u.home_directory, {below})"
