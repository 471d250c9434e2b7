"""The roles, the database and its schema: one operation, which puts right what differs."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import OperationError
from pyinfra.api.operation import operation
from pyinfra.context import host

from mailstack import roles
from mailstack.quoting import UNLOGGED, identifier
from mailstack.roles import NoPassword, Password
from mailstack.schema import Schema

if TYPE_CHECKING:
    from mailstack.database import Database
    from mailstack.secrets import Store
    from mailstack.settings import Settings

_SERVER = "postgres"
"""The database that every server has: to see what others there are."""


def converge(settings: Settings, database: Database, passwords: Store) -> None:
    """Make the roles, the database and the schema as they should be.

    + database: the server
    + passwords: of the roles, under the names that ``mailstack.roles`` has for them

    Raises ``OperationError`` if the server refuses a query.
    """
    database.announce(_SERVER, roles.query(_names(settings), settings.mail_db_name))
    database.announce(settings.mail_db_name, _schema(settings).query())
    _converge(settings=settings, database=database, passwords=passwords, name="Set up the mail database")


@operation()
def _converge(settings: Settings, database: Database, passwords: Store) -> Generator[PyinfraCommand]:
    steps = list(_steps(settings, database, passwords))
    for step in steps:  # all of them before the first is taken: a dry run goes no further than that
        host.log(step.title)
    for step in steps:
        yield database.script(step.database, step.sql, step.title, transaction=step.transaction)
    if not steps:
        host.noop("roles, database and schema are as they should be")


class _Step(NamedTuple):
    title: str
    database: str
    sql: str
    transaction: bool = True


def _steps(settings: Settings, database: Database, passwords: Store) -> Generator[_Step]:
    """What differs, in the order in which it is put right."""
    name, schema = settings.mail_db_name, _schema(settings)
    server = database.query(_SERVER, roles.query(_names(settings), name)) or {}
    for title, sql in _role_scripts(settings, database, server, passwords):
        yield _Step(title, _SERVER, sql)
    state = None
    if server.get("database"):
        state = database.query(name, schema.query())
    else:
        yield _Step(f"database {name}: created", _SERVER, create_database(settings), transaction=False)
    if differences := schema.differences(state):
        yield _Step(f"schema: {', '.join(differences)}", name, schema.script())


def create_database(settings: Settings) -> str:
    """SQL that makes the database.

    The locale is ``C``: addresses are ASCII, and an index in the order of bytes survives every update of the
    operating system's locales.
    """
    return (
        f"CREATE DATABASE {identifier(settings.mail_db_name)} OWNER {identifier(settings.mail_db_owner)} "
        "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C'"
    )


def _role_scripts(
    settings: Settings, database: Database, server: Mapping[str, Any], passwords: Store
) -> Generator[tuple[str, str]]:
    """For each role that differs, what is put right and the SQL."""
    wanted = {
        roles.OWNER_PASSWORD: roles.Role(settings.mail_db_owner, owner=True),
        roles.LOOKUP_PASSWORD: roles.Role(settings.mail_db_lookup_role, read_only=True),
        roles.LOGIN_PASSWORD: roles.Role(settings.mail_db_login_role),
    }
    for secret, role in wanted.items():
        current = server.get("roles", {}).get(role.name)
        password = _password(settings, passwords, secret)
        if isinstance(password, Password) and current and not server["reads_verifiers"]:
            password = password._replace(logs_in=database.can_login(_SERVER, role.name, password.value))
        made = roles.changes(role, current, password, superuser=server.get("superuser", True))
        if made:
            title = f"role {role.name}: {', '.join(change.title for change in made)}"
            yield title, UNLOGGED + "\n".join(change.sql for change in made)


def _password(settings: Settings, passwords: Store, secret: str) -> Password | NoPassword:
    if settings.mail_db_auth == "peer":
        return NoPassword.REMOVE
    if settings.mail_db_dsn is not None and secret not in passwords.given:
        return NoPassword.KEEP  # no host of ours keeps a generated one
    if (value := passwords[secret]) is not None:
        return Password(value)
    if host.state.is_executing:
        raise OperationError(f"{secret} has not been generated")
    return NoPassword.GENERATE


def _names(settings: Settings) -> tuple[str, ...]:
    return settings.mail_db_owner, settings.mail_db_lookup_role, settings.mail_db_login_role


def _schema(settings: Settings) -> Schema:
    return Schema(settings.mail_db_owner, settings.mail_db_lookup_role, settings.mail_db_login_role)
