"""Compare the database roles with the wanted ones, and make the SQL that changes them. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from mailstack.engines.postgresql import scram
from mailstack.engines.postgresql.quoting import identifier, literal

_ATTRIBUTES = {
    "rolsuper": ("SUPERUSER", False),
    "rolinherit": ("INHERIT", True),
    "rolcreaterole": ("CREATEROLE", False),
    "rolcreatedb": ("CREATEDB", False),
    "rolcanlogin": ("LOGIN", True),
    "rolreplication": ("REPLICATION", False),
    "rolbypassrls": ("BYPASSRLS", False),
}
"""Columns of ``pg_roles``, their keywords in ``ALTER ROLE``, and their wanted values."""

_READ_ONLY = "default_transaction_read_only=on"


class Role(NamedTuple):
    """A role that may log in, and has only the privileges granted on objects.

    + name: its name
    + read_only: whether its transactions are read-only by default, as a second protection after the grants
    + replication: whether it may copy the whole server
    + owner: whether it owns objects, so that an administrator who is not a superuser must be a member
    """

    name: str
    read_only: bool = False
    owner: bool = False
    replication: bool = False

    def wants(self, column: str) -> bool:
        """Return the wanted value of an attribute, by its column of ``pg_roles``."""
        return self.replication if column == "rolreplication" else _ATTRIBUTES[column][1]

    @property
    def settings(self) -> frozenset[str]:
        """The wanted settings of ``ALTER ROLE … SET``."""
        return frozenset({_READ_ONLY} if self.read_only else ())


class Password(NamedTuple):
    """The wanted password of a role.

    + value: the password itself
    + logs_in: whether a login with it worked; ``None`` if the stored verifier can be read instead
    """

    value: str
    logs_in: bool | None = None


class NoPassword(Enum):
    """The cases without a password to compare."""

    REMOVE = "the role should have none"
    KEEP = "whatever it has is right"
    GENERATE = "it should have one that will be generated before the role is made"


class Change(NamedTuple):
    """One change, with its title and its SQL."""

    title: str
    sql: str


def query(names: tuple[str, ...]) -> str:
    """Return SQL that selects the roles as JSON, in any database.

    ``{"superuser": bool, "reads_verifiers": bool, "roles": {name: …}}``. It reads ``pg_authid`` through
    ``query_to_xml``, because for a role without the right even its name in a query is an error.
    """
    listed = ", ".join(literal(name) for name in names)
    verifiers = literal(f"SELECT rolname, rolpassword FROM pg_catalog.pg_authid WHERE rolname IN ({listed})")
    return f"""
WITH reads AS (SELECT has_table_privilege('pg_catalog.pg_authid', 'SELECT') AS verifiers),
stored AS (
    SELECT name, verifier FROM XMLTABLE('/table/row' PASSING
        CASE WHEN (SELECT verifiers FROM reads) THEN query_to_xml({verifiers}, true, false, '') END
        COLUMNS name text PATH 'rolname', verifier text PATH 'rolpassword')
),
found AS (
    SELECT
        rolname, rolsuper, rolinherit, rolcreaterole, rolcreatedb, rolcanlogin, rolreplication, rolbypassrls,
        rolconnlimit,
        rolvaliduntil < 'infinity' AS expires,
        verifier,
        CASE WHEN version.number >= 160000 THEN pg_has_role(pg_roles.oid, 'SET')
            ELSE pg_has_role(pg_roles.oid, 'MEMBER') END AS administered,
        (
            SELECT coalesce(json_agg(json_build_array(
                pg_get_userbyid(roleid),
                CASE WHEN version.number >= 160000 THEN pg_get_userbyid(grantor) END
            ) ORDER BY roleid, grantor), '[]')
            FROM pg_auth_members WHERE member = pg_roles.oid
        ) AS memberships,
        (
            SELECT coalesce(json_agg(json_build_array(datname, setting) ORDER BY datname, setting), '[]')
            FROM pg_db_role_setting LEFT JOIN pg_database ON pg_database.oid = setdatabase,
                unnest(setconfig) AS setting
            WHERE setrole = pg_roles.oid
        ) AS settings
    FROM pg_roles LEFT JOIN stored ON name = rolname,
        (SELECT current_setting('server_version_num')::int) AS version (number)
    WHERE rolname IN ({listed})
)
SELECT json_build_object(
    'superuser', (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
    'reads_verifiers', (SELECT verifiers FROM reads),
    'roles', (SELECT coalesce(json_object_agg(rolname, row_to_json(found)), '{{}}') FROM found)
)::text"""


def changes(
    role: Role, current: Mapping[str, Any] | None, password: Password | NoPassword, *, superuser: bool = True
) -> list[Change]:
    """Return the changes that bring the role to its wanted state.

    + current: the role's row of the query; ``None`` if it does not exist
    + superuser: whether a superuser makes them
    """
    name = identifier(role.name)
    if current is None:
        may = " REPLICATION" if role.replication else ""
        needed = [Change("created", f"CREATE ROLE {name} LOGIN{may};")]
        needed += [_set_setting(name, setting) for setting in sorted(role.settings)]
        needed += _password(name, password, None)
        return needed + ([_administered(name)] if role.owner and not superuser else [])
    needed = [
        Change(word if wanted else f"no {word}", f"ALTER ROLE {name} {'' if wanted else 'NO'}{word};")
        for column, (word, _) in _ATTRIBUTES.items()
        if current[column] != (wanted := role.wants(column))
    ]
    if current["rolconnlimit"] != -1:
        needed.append(Change("no connection limit", f"ALTER ROLE {name} CONNECTION LIMIT -1;"))
    if current["expires"]:
        needed.append(Change("no expiry", f"ALTER ROLE {name} VALID UNTIL 'infinity';"))
    for group, grantor in current["memberships"]:
        by = f" GRANTED BY {identifier(grantor)}" if grantor else ""
        sql = f"REVOKE {identifier(group)} FROM {name}{by} CASCADE;"
        needed.append(Change(f"not a member of {group}", sql))
    needed += _settings(name, role.settings, current["settings"])
    needed += _password(name, password, current["verifier"])
    return needed + ([_administered(name)] if role.owner and not current["administered"] else [])


def _administered(name: str) -> Change:
    return Change("granted to the administrator", f"GRANT {name} TO CURRENT_USER;")


def _settings(name: str, wanted: frozenset[str], current: Sequence[tuple[str | None, str]]) -> list[Change]:
    """Return the changes of settings by ``ALTER ROLE … SET`` and ``ALTER ROLE … IN DATABASE … SET``."""
    names = {setting.partition("=")[0] for setting in wanted}
    needed = []
    for database, setting in current:
        parameter = setting.partition("=")[0]
        if database is None and parameter in names:
            continue
        where, place = (f" IN DATABASE {identifier(database)}", f" in {database}") if database else ("", "")
        sql = f"ALTER ROLE {name}{where} RESET {_parameter(parameter)};"
        needed.append(Change(f"no setting {parameter}{place}", sql))
    existing = {setting for database, setting in current if database is None}
    return needed + [_set_setting(name, setting) for setting in sorted(wanted - existing)]


def _set_setting(name: str, setting: str) -> Change:
    parameter, _, value = setting.partition("=")
    return Change(setting, f"ALTER ROLE {name} SET {_parameter(parameter)} = {literal(value)};")


def _parameter(name: str) -> str:
    """Return a parameter's name with each part quoted: ``"myapp"."x"``."""
    return ".".join(identifier(part) for part in name.split("."))


def _password(name: str, password: Password | NoPassword, stored: str | None) -> list[Change]:
    if password is NoPassword.REMOVE and stored:
        return [Change("no password", f"ALTER ROLE {name} PASSWORD NULL;")]
    if password is NoPassword.GENERATE:
        return [Change("password", "")]
    if isinstance(password, NoPassword):
        return []
    right = scram.matches(stored or "", password.value) if password.logs_in is None else password.logs_in
    if right:
        return []
    return [Change("password", f"ALTER ROLE {name} PASSWORD {literal(scram.verifier(password.value))};")]
