"""Compare the server's accounts with the wanted ones, and make the SQL that changes them. Pure.

An account of MariaDB is a name and the host from which it may connect. Over TCP that is an address.
``localhost`` is the socket, where the server knows the client's system user (``unix_socket``).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from mailstack.engines.mariadb.quoting import SESSION, identifier, literal
from mailstack.engines.mariadb.schema import FILES

SOCKET = "localhost"
OWNER_PRIVILEGES = (
    *("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "DROP", "ALTER", "INDEX", "REFERENCES", "TRIGGER"),
    *("CREATE VIEW", "SHOW VIEW", "CREATE ROUTINE", "ALTER ROUTINE", "EXECUTE", "EVENT", "LOCK TABLES"),
    "CREATE TEMPORARY TABLES",
)
"""Listed by name, because the meaning of ALL depends on the version."""

Grants = Mapping[str, frozenset[str]]
"""Privileges by their level: ``*.*``, ``DATABASE.*``, ``DATABASE.TABLE``, ``DATABASE.TABLE.COLUMN``."""


@dataclass(frozen=True)
class Account:
    """A wanted account.

    + password: ``None`` for authentication by the socket
    """

    user: str
    host: str
    grants: Grants = field(default_factory=dict)
    password: str | None = None

    @property
    def name(self) -> str:
        """The name in messages."""
        return f"{self.user}@{self.host}"


class Change(NamedTuple):
    """The change of one account, with its title and its SQL."""

    title: str
    sql: str


def query(users: Iterable[str], database: str) -> str:
    """Return SQL for ``{"database": bool, "accounts": {name: …}, "grants": [[name, on, what]]}`` as JSON.

    + users: the users whose accounts mailstack manages; of others it selects only grants on ``database``
    """
    values = {
        "users": ", ".join(map(literal, users)),
        "database": literal(database),
        "pattern": literal(_pattern(database)),
    }
    return SESSION + FILES.render("accounts.sql", values)


def changes(wanted: Sequence[Account], state: Mapping[str, Any]) -> list[Change]:
    """Return the changes that bring these accounts to their wanted state, and revoke the grants of others.

    + state: the result of the query
    """
    existing: Mapping[str, Any] = state.get("accounts") or {}
    granted: dict[str, dict[str, set[str]]] = {}
    for name, place, privilege in state.get("grants") or []:
        granted.setdefault(name, {}).setdefault(place, set()).add(privilege)
    needed = [
        _change(account, existing.get(account.name), granted.get(account.name, {})) for account in wanted
    ]
    names = {account.name for account in wanted}
    needed += [
        Change(f"account {name}: unwanted", f"DROP USER IF EXISTS {_quoted(name)};")
        for name in sorted(existing.keys() - names)
    ]
    for name in sorted(granted.keys() - names - existing.keys()):
        places = sorted(granted[name])
        title = f"account {name}: not on {', '.join(places)}"
        needed.append(Change(title, "\n".join(_revoke(name, place) for place in places)))
    return [change for change in needed if change.sql]


def _change(account: Account, current: Mapping[str, Any] | None, granted: Mapping[str, set[str]]) -> Change:
    """Return the change of an account. Any difference replaces it as a whole; existing sessions go on."""
    reasons = ["created"] if current is None else _differences(account, current)
    if current is not None:
        for place in sorted(account.grants.keys() | granted.keys()):
            wanted, found = account.grants.get(place, frozenset()), granted.get(place, set())
            reasons += [f"{privilege} on {place}" for privilege in sorted(wanted - found)]
            reasons += [f"no {privilege} on {place}" for privilege in sorted(found - wanted)]
    if not reasons:
        return Change("", "")
    name = _quoted(account.name)
    how = "unix_socket"
    if account.password is not None:
        how = f"mysql_native_password USING '{_hash(account.password)}'"
    statements = [
        f"CREATE OR REPLACE USER {name} IDENTIFIED VIA {how}"
        " REQUIRE NONE PASSWORD EXPIRE NEVER ACCOUNT UNLOCK;",
        *(_grant(sorted(privileges), place, name) for place, privileges in account.grants.items()),
    ]
    return Change(f"account {account.name}: {', '.join(reasons)}", "\n".join(statements))


def _grant(privileges: Iterable[str], place: str, name: str) -> str:
    return f"GRANT {', '.join(privileges)} ON {_target(place)} TO {name};"


_LIMITS = ("max_queries", "max_updates", "max_connections", "max_user_connections", "max_statement_time")


def _differences(account: Account, current: Mapping[str, Any]) -> list[str]:
    """Return the differences beside privileges, from the account's row in ``mysql.global_priv``."""
    plugin, stored = current.get("plugin"), current.get("authentication_string", "")
    if account.password is None:
        right = plugin == "unix_socket" and not stored
    else:
        right = plugin in ("mysql_native_password", "") and stored == _hash(account.password)
    reasons = (
        [] if right and "auth_or" not in current else ["password" if account.password else "by its socket"]
    )
    if current.get("ssl_type", 0) > 0:
        reasons.append("no condition on TLS")
    if current.get("account_locked"):
        reasons.append("not locked")
    if current.get("password_last_changed") == 0 or current.get("password_lifetime", 0) != 0:
        reasons.append("no expiry")
    if any(current.get(limit) for limit in _LIMITS):
        reasons.append("no limits")
    return reasons


def _hash(password: str) -> str:
    """Return the hash of ``mysql_native_password``, computed here so that no password goes to the server."""
    twice = hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest()
    return f"*{twice.upper()}"


def on_database(database: str) -> str:
    """Return the level of a whole database for ``Grants``; MariaDB takes the name in it as a pattern."""
    return f"{_pattern(database)}.*"


def _pattern(database: str) -> str:
    return database.replace("_", "\\_")


def _quoted(name: str) -> str:
    user, _, host = name.rpartition("@")
    if not host:  # a role
        return user if user == "PUBLIC" else literal(user)
    return f"{literal(user)}@{literal(host)}"


def _target(place: str) -> str:
    """Return a level of ``Grants``, or a routine after its kind, as SQL."""
    kind, _, path = place.rpartition(" ")
    quoted = ".".join(part if part == "*" else identifier(part) for part in path.split("."))
    return f"{kind} {quoted}" if kind else quoted


def _revoke(name: str, place: str) -> str:
    table = ".".join(place.split(".")[:2])  # which includes its columns
    return f"REVOKE ALL PRIVILEGES ON {_target(table)} FROM {_quoted(name)};"
