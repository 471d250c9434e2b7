"""Every lookup that Postfix and Dovecot make finds its rows by an index, however many accounts there are."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from mailstack import Settings
from mailstack.components import postfix
from mailstack.engines import engine_of
from mailstack.engines.contract import DOVECOT
from mailstack.engines.mariadb import schema
from mailstack.engines.mariadb.quoting import SESSION
from tests.integration import clients, world
from tests.targets.containers import Target

MANY = """
INSERT INTO mail_domain (domain_name) SELECT concat('domain', n, '.example') FROM {numbers};
INSERT INTO mail_users (email, password)
    SELECT concat('user', n, '@domain', n, '.example'), 'x' FROM {numbers};
INSERT INTO mail_alias (source_email, destination_email)
    SELECT concat('user', n, '@domain', n, '.example'), concat('user', n + 1, '@domain', n + 1, '.example')
    FROM {numbers} WHERE n % 50 > 0;
INSERT INTO mail_alias_domain (alias_domain, domain_name)
    SELECT concat('alias', n, '.example'), concat('domain', n, '.example') FROM {numbers};
INSERT INTO mail_wildcard (local_part, destination_email)
    SELECT concat('user', n + 6000), 'user1@domain1.example' FROM {numbers};
INSERT INTO mail_sender (email, sender_email)
    SELECT concat('user', n, '@domain', n, '.example'), concat('boss', n, '@domain.example') FROM {numbers};
INSERT INTO mail_app_password (email, name, digest)
    SELECT concat('user', n, '@domain', n, '.example'), 'phone', lpad(concat(n), 64, '0') FROM {numbers};
INSERT INTO mail_relay_domain (domain_name) SELECT concat('relay', n, '.example') FROM {numbers};
INSERT INTO mail_relay_recipient (address)
    SELECT concat('user', n, '@relay', n, '.example') FROM {numbers};
"""
TABLES = (
    "mail_domain, mail_users, mail_alias, mail_alias_domain, mail_wildcard, mail_sender, mail_app_password,"
    " mail_relay_domain, mail_relay_recipient"
)
ADDRESS = "user77@domain77.example"
DOMAIN = "domain77.example"


def with_key(query: str) -> str:
    """The query with the key in it, as pgsql_table(5) puts it there."""
    by_domain = "domain_name = '%s'" in query
    postmaster = "'%u' = 'postmaster'" in query and "mail_relay" not in query
    query = query.replace("%s", DOMAIN if by_domain else ADDRESS)
    user = "postmaster" if postmaster else ADDRESS.partition("@")[0]
    query = query.replace("%u", user).replace("%d", DOMAIN)
    return query.replace("domain77", "relay77") if "mail_relay" in query else query


def by_dovecot(query: str, service: str, address: str = ADDRESS) -> str:
    """The query as Dovecot 2.3 asks it for a service."""
    user, _, domain = address.partition("@")
    query = query.replace(DOVECOT["2.3"].app_digest, "77".zfill(64))
    for variable, value in {"%u": address, "%n": user, "%d": domain, "%s": service}.items():
        query = query.replace(variable, value)
    return query


def queries(engine: str) -> dict[str, str]:
    """Each query, by the name of its file in /etc/postfix/sql or of its function."""
    settings = Settings.from_data({"mail_hostname": world.HOSTNAME, "mail_db_engine": engine})
    lookups = engine_of(settings).lookups
    user = lookups.dovecot_user(settings, "2.3")
    return {name: with_key(query) for name, query in postfix.queries(settings).items()} | {
        "dovecot_user": by_dovecot(user, "lmtp"),
        "dovecot_user, quota": by_dovecot(user, "quota-status"),
        "dovecot_user, quota of an alias": by_dovecot(user, "quota-status", "user6500@domain1.example"),
        "dovecot_password": by_dovecot(lookups.dovecot_password(settings, "2.3"), "imap"),
        "dovecot_password, old": by_dovecot(lookups.dovecot_password(settings, "2.3", "old"), "imap"),
        "dovecot_app_password": by_dovecot(lookups.dovecot_app_password(settings, "2.3"), "imap"),
    }


def test_no_lookup_reads_a_whole_table(server: Target) -> None:
    asked = queries("postgresql")
    explain = "".join(f"EXPLAIN (ANALYZE, FORMAT JSON) {query};\n" for query in asked.values())
    # the replica runs no triggers, which would follow each alias to its end
    filled = f"BEGIN; SET LOCAL session_replication_role = replica; {MANY}; ANALYZE {TABLES};\n".format(
        numbers="generate_series(1, 5000) AS n"
    )
    plans = list(documents(clients.sql(server, f"{filled}{explain} ROLLBACK;")))
    assert len(plans) == len(asked)
    read = {
        name: [node["Relation Name"] for node in nodes(plan) if node["Node Type"] == "Seq Scan"]
        for name, plan in zip(asked, plans, strict=True)
    }
    assert read == {name: [] for name in asked}
    # and each of these found something
    assert all(plan["Actual Rows"] >= 1 for plan in plans)


@pytest.mark.mariadb
def test_no_lookup_reads_many_rows_in_mariadb(server: Target) -> None:
    """By the server's count, of tables with 5,000 rows, in a database of the test's own."""
    asked = queries("mysql")
    counted = "".join(
        f"FLUSH STATUS; SELECT '{name}', count(*) FROM ({query}) AS answer;"
        " SELECT sum(variable_value) FROM information_schema.session_status"
        " WHERE variable_name LIKE 'Handler_read%';\n"
        for name, query in asked.items()
    )
    numbers = "(SELECT seq AS n FROM seq_1_to_5000) AS numbers"
    try:
        made = f"CREATE DATABASE lookups COLLATE utf8mb4_nopad_bin; USE lookups; {SESSION}"
        clients.sql(server, f"{made}\n{schema.script()}")
        filled = (
            f"USE lookups; {SESSION} BEGIN; {MANY.format(numbers=numbers)} COMMIT; ANALYZE TABLE {TABLES};\n"
        )
        said = clients.sql(server, filled + counted).splitlines()
    finally:
        clients.sql(server, "DROP DATABASE IF EXISTS lookups")
    answers = dict(line.split("|") for line in said if line.partition("|")[0] in asked)
    assert {name: int(rows) > 0 for name, rows in answers.items()} == dict.fromkeys(asked, True)
    read = dict(zip(asked, (float(line) for line in said if "|" not in line), strict=True))
    assert {name: rows for name, rows in read.items() if rows > 1000} == {}


def documents(text: str) -> Iterator[dict[str, Any]]:
    """The plans that EXPLAIN printed one after the other."""
    while text := text.lstrip():
        found, end = json.JSONDecoder().raw_decode(text)
        yield found[0]["Plan"]
        text = text[end:]


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The node of a plan and all below it."""
    yield plan
    for child in plan.get("Plans", []):
        yield from nodes(child)
