"""Every lookup that Postfix and Dovecot make reads few rows, however many accounts there are."""

from __future__ import annotations

import pytest

from mailstack import Settings
from mailstack.engines.postgresql import lookups
from tests.support import clients, sample_accounts
from tests.support.lookup_queries import by_dovecot, by_postfix
from tests.targets.containers import Target

pytestmark = pytest.mark.postgresql

SETTINGS = Settings.from_data({"mail_hostname": sample_accounts.HOSTNAME})
MANY = """
BEGIN;
SET LOCAL session_replication_role = replica; -- else each new alias domain looks at all aliases
INSERT INTO mail_domain SELECT 'domain' || n || '.example' FROM generate_series(1, 5000) AS n;
INSERT INTO mail_users (email, password, quota_mb, mail_directory)
    SELECT 'user' || n || '@domain' || n || '.example', 'x', 1, n FROM generate_series(1, 5000) AS n;
INSERT INTO mail_alias (source_email, destination_email)
    SELECT 'user' || n || '@domain' || n || '.example', 'user' || n + 1 || '@domain' || n + 1 || '.example'
    FROM generate_series(1, 5000) AS n WHERE n % 10 > 0;
INSERT INTO mail_alias_domain
    SELECT 'alias' || n || '.example', 'domain' || n || '.example' FROM generate_series(1, 5000) AS n;
INSERT INTO mail_wildcard
    SELECT 'user' || n, 'user10@domain10.example' FROM generate_series(6000, 11000) AS n;
INSERT INTO mail_sender (email, sender_email)
    SELECT 'user' || n || '@domain' || n || '.example', 'boss' || n || '@domain.example'
    FROM generate_series(1, 5000) AS n;
INSERT INTO mail_app_password (email, name, digest)
    SELECT 'user' || n || '@domain' || n || '.example', 'phone', lpad(n::text, 64, '0')
    FROM generate_series(1, 5000) AS n;
INSERT INTO mail_relay_domain SELECT 'relay' || n || '.example' FROM generate_series(1, 5000) AS n;
INSERT INTO mail_relay_recipient
    SELECT 'user' || n || '@relay' || n || '.example' FROM generate_series(1, 5000) AS n;
ANALYZE mail_relay_domain, mail_relay_recipient, mail_app_password;
ANALYZE mail_sender, mail_alias_domain, mail_wildcard, mail_domain, mail_users, mail_alias;
"""
#: Each query, by the name of its file in /etc/postfix/sql or of its function.
QUERIES = by_postfix(SETTINGS) | {
    "dovecot_user": by_dovecot(lookups.dovecot_user(SETTINGS, "2.3"), "lmtp"),
    "dovecot_user, quota": by_dovecot(lookups.dovecot_user(SETTINGS, "2.3"), "quota-status"),
    "dovecot_user, quota of an alias": by_dovecot(
        lookups.dovecot_user(SETTINGS, "2.3"), "quota-status", "user6500@domain1.example"
    ),
    "dovecot_password": by_dovecot(lookups.dovecot_password(SETTINGS, "2.3"), "imap"),
    "dovecot_password, old": by_dovecot(lookups.dovecot_password(SETTINGS, "2.3", "old"), "imap"),
    "dovecot_app_password": by_dovecot(lookups.dovecot_app_password(SETTINGS, "2.3"), "imap"),
}


def test_no_lookup_reads_many_rows(server: Target) -> None:
    """PostgreSQL itself counts the rows, also those that functions read."""
    rows = "SELECT sum(seq_tup_read + coalesce(idx_tup_fetch, 0)) FROM pg_stat_xact_user_tables"
    counted = "".join(
        f"{rows}; SELECT '{name}', count(*) FROM ({query}) AS answer; {rows};\n"
        for name, query in QUERIES.items()
    )
    lines = clients.sql(server, f"{MANY}{counted}ROLLBACK;").splitlines()
    assert len(lines) == 3 * len(QUERIES)
    for before, said, after in zip(lines[0::3], lines[1::3], lines[2::3], strict=True):
        name, _, found = said.rpartition("|")
        assert int(found) >= 1, name
        assert int(after) - int(before) < 100, name
