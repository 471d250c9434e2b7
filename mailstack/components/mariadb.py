"""MariaDB with the mail database: its accounts, its schema and its clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationValueError

from mailstack.components import systemd
from mailstack.components.component import Site
from mailstack.components.converge import Database, deployed
from mailstack.components.declarations import ServiceProbe, State
from mailstack.components.passwords import PASSWORDS_OF_DATABASE
from mailstack.files import Entry, File
from mailstack.operations.units import Unit
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.facts.platform import Platform


class Mariadb(Database):
    """Install MariaDB and create the mail database in it.

    Raises ``OperationValueError`` if ``mail_db_engine`` is another.
    """

    name = "mariadb"
    title = "MariaDB"
    requires = (PASSWORDS_OF_DATABASE,)
    reloads = ("mariadb",)

    def check(self, site: Site) -> None:
        """See ``Component``."""
        if site.settings.mail_db_engine != "mysql":
            raise OperationValueError("mail_db_engine: the component mariadb is for 'mysql'")

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        return site.settings.mail_db_engine == "mysql" and site.runs_database

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``."""
        return ("mariadb-server",)

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        new_auth = systemd.NEW_AUTH if site.here.has_mail else ()
        return [
            File(
                "/etc/mysql/mariadb.conf.d/90-mailstack.cnf",
                render("mariadb/90-mailstack.cnf", settings=site.settings),
                activation="restart",
            ),
            *(systemd.new_auth() if new_auth else []),
            *systemd.drop_in("mariadb", after_start=new_auth, after_stop=new_auth),
        ]

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``."""
        return [
            Unit(
                "mariadb",
                clients=("dovecot", "postfix"),
                program="/usr/sbin/mariadbd",
                drop_in=True,
                listens=(site.settings.db_kind.socket,),
            )
        ]

    def state(self, site: Site) -> Sequence[State]:
        """See ``Component``."""
        return [State(site.settings.mail_db_name, "database")]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        return [
            ServiceProbe(
                "MariaDB has the mail database",
                script("probe_mariadb", site.settings.mail_db_name, site.settings.db_kind.socket),
                "systemctl start mariadb; journalctl -u mariadb says why it ended;"
                " pyinfra INVENTORY deploy.py creates what is missing",
            )
        ]


MARIADB = Mariadb()
deploy = deployed(MARIADB)
