"""The lookups of Postfix and Dovecot for one address."""

from __future__ import annotations

from mailstack import Settings
from mailstack.components import postfix_sql
from mailstack.engines.contract import DOVECOT

ADDRESS = "user77@domain77.example"
DOMAIN = "domain77.example"


def with_key(query: str, user: str = ADDRESS.partition("@")[0]) -> str:
    """Return the query with the key in it, as pgsql_table(5) puts it there."""
    by_domain = any(domain in query for domain in ("domain_name = '%s'", "mailstack_domain('%s')"))
    query = query.replace("%s", DOMAIN if by_domain else f"{user}@{DOMAIN}")
    query = query.replace("%u", user).replace("%d", DOMAIN)
    return query.replace("domain77", "relay77") if "mail_relay" in query else query


def by_postfix(settings: Settings) -> dict[str, str]:
    """Return each query with a key in it, by the name of its file in /etc/postfix/sql."""
    queries = postfix_sql.queries(settings)
    found = {name: with_key(query) for name, query in queries.items()}
    for user in ("user6500", "postmaster"):  # an address that only a wildcard has, and one that nothing has
        found[f"virtual_aliases, {user}"] = with_key(queries["virtual_aliases"], user)
    return found


def by_dovecot(query: str, service: str, address: str = ADDRESS) -> str:
    """Return the query as Dovecot 2.3 asks it for a service."""
    user, _, domain = address.partition("@")
    query = query.replace(DOVECOT["2.3"].app_digest, "77".zfill(64))
    for variable, value in {"%u": address, "%n": user, "%d": domain, "%s": service}.items():
        query = query.replace(variable, value)
    return query
