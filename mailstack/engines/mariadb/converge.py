"""Find the differences of accounts, database and schema, and the SQL that fixes them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationError

from mailstack.engines.contract import LOOKUP_PASSWORD, OWNER_PASSWORD, UPGRADE_PASSWORD, Step
from mailstack.engines.mariadb import schema, users
from mailstack.engines.mariadb.quoting import identifier
from mailstack.engines.mariadb.users import SOCKET, Account
from mailstack.engines.tables import TABLES
from mailstack.run import is_executing

if TYPE_CHECKING:
    from mailstack.engines.contract import Database
    from mailstack.secrets import Store
    from mailstack.settings import Settings

_SERVER = "mysql"
"""The database that every server has, in which the others are listed."""

_HERE = "127.0.0.1"
DAEMONS = ("postfix", "dovecot")
"""The system users that make lookups without a password; the server's accounts have the same names."""

_READABLE = tuple(table.name for table in TABLES if table.looked_up)
"""The tables that the lookups read."""


def announce(settings: Settings, database: Database) -> None:
    """See ``Engine.announce``."""
    database.announce(_SERVER, _users_query(settings))
    database.announce(settings.mail_db_name, schema.query())


def steps(settings: Settings, database: Database, passwords: Store) -> Iterator[Step]:
    """See ``Engine.steps``. Grants name tables, so the accounts come last."""
    name = settings.mail_db_name
    server = database.query(_SERVER, _users_query(settings)) or {}
    state = None
    if server.get("database"):
        state = database.query(name, schema.query())
    else:
        sql = f"CREATE DATABASE {identifier(name)} CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin;"
        yield Step(f"database {name}: created", _SERVER, sql, transaction=False)
    if differences := schema.differences(state, settings.new_mail_driver):
        sql = schema.script(settings.new_mail_driver)
        yield Step(f"schema: {', '.join(differences)}", name, sql, transaction=False)
    for title, sql in users.changes(wanted(settings, passwords), server):
        yield Step(title, _SERVER, sql, transaction=False)


def wanted(settings: Settings, passwords: Store) -> list[Account]:
    """Return the wanted accounts."""
    name = settings.mail_db_name
    lookup = {f"{name}.{table}": frozenset({"SELECT"}) for table in _READABLE}
    for function in ("mailstack_record_login", "mailstack_unicode_login", "mailstack_use_app_password"):
        lookup[f"FUNCTION {name}.{function}"] = frozenset({"EXECUTE"})
    upgrade = {f"FUNCTION {name}.mailstack_upgrade_password": frozenset({"EXECUTE"})}
    if settings.mail_db_auth == "peer":
        return [Account("postfix", SOCKET, lookup), Account("dovecot", SOCKET, lookup | upgrade)]
    owner = {users.on_database(name): frozenset(users.OWNER_PRIVILEGES)}
    accounts = [Account(settings.mail_db_owner, _HERE, owner, _password(passwords, OWNER_PASSWORD))]
    for role, grants, secret in (
        (settings.mail_db_lookup_role, lookup, LOOKUP_PASSWORD),
        (settings.mail_db_upgrade_role, upgrade, UPGRADE_PASSWORD),
    ):
        accounts.append(Account(role, _HERE, grants, _password(passwords, secret)))
    return accounts


def _password(passwords: Store, secret: str) -> str:
    if (value := passwords[secret]) is not None:
        return value
    if is_executing():
        raise OperationError(f"{secret} has not been generated")
    return "to be generated before the account is created"


def _users_query(settings: Settings) -> str:
    roles = (settings.mail_db_owner, settings.mail_db_lookup_role, settings.mail_db_upgrade_role)
    return users.query((*roles, *DAEMONS), settings.mail_db_name)
