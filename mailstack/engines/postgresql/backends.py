"""Dovecot's queries on a server whose mailboxes are on several hosts, see ``mailstack.backends``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.backends import LMTP_PORT, dns_name
from mailstack.engines.contract import DOVECOT
from mailstack.engines.postgresql.quoting import literal

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mailstack.backends import Backends

_PORTS = {"imap": 993, "pop3": 995, "sieve": 4190, "lmtp": LMTP_PORT}
"""The ports of a backend. On the last two, TLS begins with STARTTLS."""
_DISCARD = 9
"""A port on which no host of mailstack listens (RFC 863)."""
_PATIENCE = 10
"""Seconds in which a backend must answer a login. A delivery may take longer."""

NAMELESS = "SELECT count(*) FROM mail_users u WHERE to_jsonb(u) ->> 'backend' IS NULL"
"""A query for the number of users who are on the first host, as they have no name of one.

The column may be missing: a version before knew one host with mailboxes.
"""


def elsewhere(several: Backends, generation: str) -> str:
    """Return the passdb query for users of other hosts: where they are, without a check of the password.

    That host checks it. Postfix, whose service is ``smtp``, gets no answer here: the password is in the
    database. LMTP gets one for all users, so that it does not go through the other password queries.

    + generation: Dovecot ``2.3`` or ``2.4``
    """
    name = DOVECOT[generation]
    service = f"'{name.service}'"
    away = f"b.name <> {literal(several.here.name)}"
    known = {node.name: dns_name(node) for node in several.others}
    addresses = {node.name: node.reachable_at for node in several.others}
    # a host that is not in the inventory is one that does not answer: without any host, LMTP would answer 550
    ports = f"CASE WHEN b.name IN ({', '.join(map(literal, known)) or 'NULL'}) THEN {_case(service, _PORTS)}"
    fields = {
        "user": "u.email",
        "password": "NULL",
        "nopassword": "'Y'",
        "proxy": f"CASE WHEN {away} THEN 'Y' END",
        "host": _case("b.name", known, "unknown.mailstack.internal"),
        "hostip": _case("b.name", addresses, "127.0.0.1"),
        "port": f"{ports} ELSE '{_DISCARD}' END",
        "ssl": f"CASE WHEN {service} IN ('imap', 'pop3') THEN 'yes' END",
        "starttls": f"CASE WHEN {service} IN ('sieve', 'lmtp') THEN 'yes' END",
        # on connections with several streams, Dovecot 2.4.1 forgets what it has read until more comes: its
        # istream-multiplex loses i_stream_set_input_pending() of TLS
        **({"proxy_no_multiplex": "'Y'"} if generation == "2.4" else {}),
        "proxy_timeout": f"CASE WHEN {service} <> 'lmtp' THEN '{_PATIENCE}' END",
    }
    columns = ", ".join(f'{sql} AS "{field}"' for field, sql in fields.items())
    return (
        f"SELECT {columns} FROM mailstack_login('{name.user}', {service}) u"
        f" CROSS JOIN LATERAL (SELECT {_backend(several)} AS name) AS b"
        f" WHERE {service} IN ({', '.join(map(literal, _PORTS))}) AND ({away} OR {service} = 'lmtp')"
    )


def lives_here(several: Backends, generation: str = "") -> str:
    """Return the condition that a user ``u`` has the mailbox on this host.

    Without it doveadm would make an empty mailbox for each user of another host.

    + generation: Dovecot ``2.3`` or ``2.4``, for a query with which doveadm finds also users whose mail moves
      from or to this host
    """
    here = literal(several.here.name)
    home = f"{_backend(several)} = {here}"
    if not generation:
        return home
    moves = f"{here} = ANY (string_to_array(replace(u.backend, '>>', '>'), '>'))"
    return f"({home} OR '{DOVECOT[generation].service}' = 'doveadm' AND {moves})"


def _backend(several: Backends) -> str:
    """Return SQL for the host with the mailbox; an empty text while the last of a user's mail moves."""
    first = literal(several.nodes[0].name)
    home = f"split_part(COALESCE(u.backend, {first}), '>', 1)"
    return f"CASE WHEN strpos(u.backend, '>>') > 0 THEN '' ELSE {home} END"


def _case(value: str, results: Mapping[str, str | int], other: str | None = None) -> str:
    cases = " ".join(f"WHEN {literal(key)} THEN {literal(str(result))}" for key, result in results.items())
    return f"CASE {value} {cases} ELSE {literal(other)} END" if cases else literal(other)
