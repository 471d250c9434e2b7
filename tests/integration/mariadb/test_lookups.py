"""Every lookup reads few rows in MariaDB, too, however many accounts there are."""

from __future__ import annotations

import pytest

from mailstack import Settings
from mailstack.engines.mariadb import lookups, schema
from mailstack.engines.mariadb.quoting import SESSION
from tests.support import clients, sample_accounts
from tests.support.lookup_queries import by_dovecot, by_postfix
from tests.targets.containers import Target

pytestmark = pytest.mark.mariadb

SETTINGS = Settings.from_data({"mail_hostname": sample_accounts.HOSTNAME, "mail_db_engine": "mysql"})
ROWS = 2_000
#: Aliases are in chains of ten. An alias domain takes longer to make the more aliases there are.
MANY = """
INSERT INTO mail_domain (domain_name) SELECT concat('domain', seq, '.example') FROM numbers;
INSERT INTO mail_users (email, password, quota_mb)
    SELECT concat('user', seq, '@domain', seq, '.example'), 'x', 1 FROM numbers;
INSERT INTO mail_alias (source_email, destination_email)
    SELECT
        concat('user', seq, '@domain', seq, '.example'),
        concat('user', seq + 1, '@domain', seq + 1, '.example')
    FROM numbers WHERE seq % 10 > 0;
INSERT INTO mail_alias_domain (alias_domain, domain_name)
    SELECT concat('alias', seq, '.example'), concat('domain', seq, '.example') FROM numbers;
INSERT INTO mail_wildcard (local_part, destination_email)
    SELECT concat('user', seq + 6000), 'user10@domain10.example' FROM numbers;
INSERT INTO mail_sender (email, sender_email)
    SELECT concat('user', seq, '@domain', seq, '.example'), concat('boss', seq, '@domain.example')
    FROM numbers;
INSERT INTO mail_app_password (email, name, digest)
    SELECT concat('user', seq, '@domain', seq, '.example'), 'phone', lpad(seq, 64, '0') FROM numbers;
INSERT INTO mail_relay_domain (domain_name) SELECT concat('relay', seq, '.example') FROM numbers;
INSERT INTO mail_relay_recipient (address)
    SELECT concat('user', seq, '@relay', seq, '.example') FROM numbers;
""".replace("numbers", f"seq_1_to_{ROWS}")
USER = lookups.dovecot_user(SETTINGS, "2.3")
#: Each query, by the name of its file in /etc/postfix/sql or of its function.
QUERIES = by_postfix(SETTINGS) | {
    "dovecot_user": by_dovecot(USER, "lmtp"),
    "dovecot_user, quota": by_dovecot(USER, "quota-status"),
    "dovecot_user, quota of an alias": by_dovecot(USER, "quota-status", "user6500@domain50.example"),
    "dovecot_password": by_dovecot(lookups.dovecot_password(SETTINGS, "2.3"), "imap"),
    "dovecot_password, old": by_dovecot(lookups.dovecot_password(SETTINGS, "2.3", "old"), "imap"),
    "dovecot_app_password": by_dovecot(lookups.dovecot_app_password(SETTINGS, "2.3"), "imap"),
}


def test_no_lookup_reads_many_rows(server: Target) -> None:
    """The server itself counts the rows, in a database of the test."""
    counted = "".join(
        f"FLUSH STATUS; SELECT '{name}', count(*) FROM ({query}) AS answer; SELECT sum(variable_value)"
        " FROM information_schema.session_status WHERE variable_name LIKE 'Handler_read%';\n"
        for name, query in QUERIES.items()
    )
    try:
        made = f"CREATE OR REPLACE DATABASE lookups COLLATE utf8mb4_nopad_bin; USE lookups; {SESSION}"
        clients.sql(server, f"{made}\n{schema.script()}")
        tables = ", ".join(table for table in schema.tables() if table.startswith("mail_"))
        filled = f"USE lookups; {SESSION} BEGIN; {MANY} COMMIT; ANALYZE TABLE {tables};\n"
        said = clients.sql(server, filled + counted).splitlines()
    finally:
        clients.sql(server, "DROP DATABASE IF EXISTS lookups")
    found = dict(line.split("|") for line in said if line.partition("|")[0] in QUERIES)
    assert {name for name in QUERIES if not int(found[name])} == set()
    read = dict(zip(QUERIES, (float(line) for line in said if "|" not in line), strict=True))
    assert {name: rows for name, rows in read.items() if rows > ROWS / 5} == {}
