"""MariaDB with the mail database: its accounts, its schema, and who may connect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationValueError

from mailstack import database_passwords, hosts
from mailstack.components import systemd
from mailstack.components.component import component
from mailstack.engines import engine_of
from mailstack.files import Entry, File
from mailstack.operations import sql, units
from mailstack.operations.config_files import config_files
from mailstack.operations.packages import installed
from mailstack.operations.units import Unit
from mailstack.templates import render

if TYPE_CHECKING:
    from mailstack.settings import Settings

PACKAGES = ("mariadb-server",)


def files(settings: Settings, *, with_dovecot: bool = True) -> list[Entry]:
    """The server's configuration.

    + with_dovecot: whether Dovecot runs on the same host
    """
    dovecot = systemd.RELOAD_DOVECOT if with_dovecot else ()
    return [
        *database_passwords.files(settings),
        File(
            "/etc/mysql/mariadb.conf.d/90-mailstack.cnf",
            render("mariadb/90-mailstack.cnf", settings=settings),
            activation="restart",
        ),
        *systemd.drop_in("mariadb", after_start=dovecot, after_stop=dovecot),
    ]


def unit(settings: Settings) -> Unit:
    """Return the service."""
    return Unit(
        "mariadb",
        clients=("dovecot", "postfix"),
        program="/usr/sbin/mariadbd",
        drop_in=True,
        listens=(engine_of(settings).socket,),
    )


@component("MariaDB")
def deploy(settings: Settings) -> None:
    """Install MariaDB and make the mail database in it.

    Raises ``OperationValueError`` if ``mail_db_engine`` is another.
    """
    if settings.mail_db_engine != "mysql":
        raise OperationValueError("mail_db_engine: the component mariadb is for 'mysql'")
    installed(lambda _: PACKAGES)
    with_dovecot = hosts.checked(settings).here.has_mail
    entries = files(settings, with_dovecot=with_dovecot)
    config_files(lambda _: entries, component="mariadb", units=["mariadb"])
    units.running("mariadb", lambda _: [unit(settings)])
    database_passwords.generate(settings)
    sql.converge(settings, database_passwords.store(settings))
