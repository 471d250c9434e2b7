"""Find the differences of roles, database and schema, and the SQL that fixes them.

Everything runs in the mail database, for roles too: mailstack's lines of ``pg_hba.conf`` allow no other.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pyinfra.api.exceptions import OperationError

from mailstack.engines.contract import (
    LOOKUP_PASSWORD,
    OWNER_PASSWORD,
    UPGRADE_PASSWORD,
    WEBMAIL_PASSWORD,
    Step,
)
from mailstack.engines.postgresql import roles
from mailstack.engines.postgresql.database import SERVER
from mailstack.engines.postgresql.quoting import UNLOGGED, identifier
from mailstack.engines.postgresql.roles import NoPassword, Password
from mailstack.engines.postgresql.schema import Schema
from mailstack.run import is_executing

if TYPE_CHECKING:
    from mailstack.engines.postgresql.database import Server
    from mailstack.secrets import Store
    from mailstack.settings import Settings


def announce(settings: Settings, database: Server) -> None:
    """See ``Engine.announce``."""
    for sql in (_roles(settings), _roles(settings), _schema(settings).query()):  # for ``missing`` too
        database.announce(settings.mail_db_name, sql)


def missing(settings: Settings, database: Server) -> Iterator[Step]:
    """See ``Engine.missing``."""
    name = settings.mail_db_name
    if database.query(name, _roles(settings)) is None:
        yield Step(f"database {name}: created", SERVER, create_database(settings), transaction=False)


def steps(settings: Settings, database: Server, passwords: Store) -> Iterator[Step]:
    """See ``Engine.steps``."""
    name, schema = settings.mail_db_name, _schema(settings)
    server = database.query(name, _roles(settings)) or {}
    for title, sql in _role_scripts(settings, database, server, passwords):
        yield Step(title, name, sql)
    if differences := schema.differences(database.query(name, schema.query())):
        yield Step(f"schema: {', '.join(differences)}", name, schema.script())


def create_database(settings: Settings) -> str:
    """Return SQL that creates the database; the schema's script sets its owner.

    The locale is ``C``: addresses are ASCII, and an index in byte order survives updates of the operating
    system's locales.
    """
    return (
        f"CREATE DATABASE {identifier(settings.mail_db_name)} "
        "TEMPLATE template0 ENCODING 'UTF8' LOCALE_PROVIDER libc LOCALE 'C'"
    )


def _role_scripts(
    settings: Settings, database: Server, server: Mapping[str, Any], passwords: Store
) -> Generator[tuple[str, str]]:
    """Yield the title and the SQL for each role that differs."""
    wanted = {
        OWNER_PASSWORD: roles.Role(settings.mail_db_owner, owner=True),
        LOOKUP_PASSWORD: roles.Role(settings.mail_db_lookup_role, read_only=True),
        UPGRADE_PASSWORD: roles.Role(settings.mail_db_upgrade_role),
    }
    if settings.mail_webmail:
        wanted[WEBMAIL_PASSWORD] = roles.Role(settings.mail_db_webmail_role)
    for secret, role in wanted.items():
        current = server.get("roles", {}).get(role.name)
        password = _password(settings, passwords, secret)
        if isinstance(password, Password) and current and not server["reads_verifiers"]:
            password = password._replace(
                logs_in=database.can_login(settings.mail_db_name, role.name, password.value)
            )
        changes = roles.changes(role, current, password, superuser=server.get("superuser", True))
        if changes:
            title = f"role {role.name}: {', '.join(change.title for change in changes)}"
            yield title, UNLOGGED + "\n".join(change.sql for change in changes)


def _password(settings: Settings, passwords: Store, secret: str) -> Password | NoPassword:
    if settings.mail_db_auth == "peer":
        return NoPassword.REMOVE
    if settings.mail_db_dsn is not None and secret not in passwords.given:
        return NoPassword.KEEP  # no host of the inventory keeps a generated one
    if (value := passwords[secret]) is not None:
        return Password(value)
    if is_executing():
        raise OperationError(f"{secret} has not been generated")
    return NoPassword.GENERATE


def _roles(settings: Settings) -> str:
    return roles.query(_schema(settings).roles)


def _schema(settings: Settings) -> Schema:
    return Schema(
        settings.mail_db_owner,
        settings.mail_db_lookup_role,
        settings.mail_db_upgrade_role,
        settings.mail_db_webmail_role if settings.mail_webmail else "",
        settings.new_mail_driver,
    )
