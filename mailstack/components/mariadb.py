"""MariaDB with the mail database: its accounts, its schema, and who may connect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra.api.deploy import deploy as pyinfra_deploy
from pyinfra.api.exceptions import OperationValueError
from pyinfra.context import host

from mailstack import database_passwords, hosts
from mailstack.files import Entry, File
from mailstack.operations import sql, units
from mailstack.operations.config_files import config_files
from mailstack.operations.kept_secrets import kept_secrets
from mailstack.operations.packages import installed
from mailstack.operations.units import Unit
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.settings import Settings

PACKAGES = ("mariadb-server",)


def files(settings: Settings, clients: Sequence[str] = ()) -> list[Entry]:
    """The server's configuration.

    + clients: IP addresses of other hosts that look things up
    """
    return [
        *database_passwords.files(settings),
        File(
            "/etc/mysql/mariadb.conf.d/90-mailstack.cnf",
            render("mariadb/90-mailstack.cnf", settings=settings, clients=clients),
            activation="restart",
        ),
    ]


@pyinfra_deploy("MariaDB")
def deploy(settings: Settings) -> None:
    """Install MariaDB and make the mail database in it.

    Raises ``OperationValueError`` if ``mail_db_engine`` is another.
    """
    if settings.mail_db_engine != "mysql":
        raise OperationValueError("mail_db_engine: the component mariadb is for 'mysql'")
    installed(PACKAGES)
    clients = hosts.database_clients(settings, host)
    config_files(files(settings, clients), component="mariadb", units=["mariadb"])
    units.running(Unit("mariadb"))
    if settings.mail_db_auth == "password":
        kept_secrets(database_passwords.generated(settings))
    sql.converge(settings, database_passwords.store(settings), clients)
