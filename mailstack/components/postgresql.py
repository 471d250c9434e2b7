"""PostgreSQL with the mail database: its roles, its schema and its clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationValueError

from mailstack.components import systemd
from mailstack.components.backends import BACKENDS
from mailstack.components.component import Requirement, Site
from mailstack.components.converge import Database, deployed
from mailstack.components.declarations import Port, ServiceProbe, State
from mailstack.components.passwords import PASSWORDS_OF_DATABASE
from mailstack.engines.postgresql import hba
from mailstack.facts import clusters
from mailstack.facts.files import FileTexts
from mailstack.facts.platform import ACCEPTED, CLUSTERS
from mailstack.facts.units import drop_in_path
from mailstack.files import Entry, File, Shared
from mailstack.operations.units import Unit
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailstack.facts.platform import Platform
    from mailstack.settings import Settings

_VERSIONS = [release.postgresql for release in ACCEPTED]
_OWNER = ("postgres", "postgres")


class Postgresql(Database):
    """Install PostgreSQL and create the mail database in it.

    With ``mail_db_dsn`` nothing is installed, and the database is created on that server.
    Raises ``OperationValueError`` if ``mail_db_engine`` is another.
    """

    name = "postgresql"
    title = "PostgreSQL"
    requires = (PASSWORDS_OF_DATABASE, BACKENDS)
    reloads = ("postgresql",)

    def check(self, site: Site) -> None:
        """See ``Component``."""
        if site.settings.mail_db_engine != "postgresql":
            raise OperationValueError("mail_db_engine: the component postgresql is for 'postgresql'")

    def is_wanted(self, site: Site) -> bool:
        """See ``Component``."""
        has_database = site.here.has_role("db") or site.settings.mail_db_dsn is not None
        return site.settings.mail_db_engine == "postgresql" and has_database

    def is_installed(self, site: Site) -> bool:
        """See ``Component``."""
        return site.settings.mail_db_dsn is None

    def requirements(self, site: Site) -> Sequence[Requirement]:
        """See ``Component``."""
        port = site.settings.db_port
        return [
            Requirement(
                FileTexts.of(map(_hba_path, _VERSIONS)), lambda texts: _locked_out(site.settings, texts)
            ),
            Requirement(CLUSTERS, lambda found: clusters.problem(found.clusters, found.for_mail, port)),
        ]

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``."""
        return ("postgresql",)

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        version = platform.postgresql
        directory = f"/etc/postgresql/{version}/main"
        clients = site.topology.database_clients(site.settings)
        values = {
            "settings": site.settings,
            "clients": [f"{address}/{128 if ':' in address else 32}" for address in clients],
        }

        def lines(theirs: str) -> str:
            return render("postgresql/pg_hba.conf", others=bool(hba.rules(theirs)), **values)

        return [
            Shared(f"{directory}/pg_hba.conf", lines, *_OWNER, 0o640),
            Shared(
                f"{directory}/pg_ident.conf",
                lambda _: render("postgresql/pg_ident.conf", **values),
                *_OWNER,
                0o640,
                claimed=lambda line: line.split()[:1] == ["mailstack"],
            ),
            File(
                f"{directory}/conf.d/mailstack.conf", render("postgresql/mailstack.conf", **values), *_OWNER
            ),
            *_service_files(version, with_dovecot=site.here.has_mail),
        ]

    def before_files(self, site: Site, platform: Platform) -> str:
        """See ``Component``."""
        return script("create_cluster", platform.postgresql, str(site.settings.db_port))

    def restart_if(self, site: Site) -> Mapping[str, str]:
        """See ``Component``."""
        return {"postgresql": script("restart_if_postgresql")}

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``: Debian has a service for each version, and a wrapper around them."""
        return [
            Unit(
                "postgresql",
                f"postgresql@{platform.postgresql}-main",
                clients=("dovecot", "postfix"),
                program=f"/usr/lib/postgresql/{platform.postgresql}/bin/postgres",
                drop_in=True,
                listens=(f"{site.settings.db_kind.socket}/.s.PGSQL.{site.settings.db_port}",),
            )
        ]

    def ports(self, site: Site) -> Sequence[Port]:
        """See ``Component``."""
        clients = site.topology.database_clients(site.settings)
        return [Port(site.settings.db_port, "postgresql", tuple(clients))] if clients else []

    def state(self, site: Site) -> Sequence[State]:
        """See ``Component``."""
        return [State(site.settings.mail_db_name, "database")]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        settings = site.settings
        ask = script("probe_postgresql", str(settings.db_port), settings.mail_db_name)
        return [
            ServiceProbe(
                "PostgreSQL has the mail database",
                f"{script('psql')}\n{ask}",
                f"systemctl start postgresql@{platform.postgresql}-main; its log in /var/log/postgresql says"
                " why it ended; pyinfra INVENTORY deploy.py creates what is missing",
            )
        ]


def _service_files(version: str, *, with_dovecot: bool) -> list[Entry]:
    """Return systemd's files for the cluster, and the absence of those for the cluster before an upgrade."""
    return [
        *(systemd.new_auth() if with_dovecot else []),
        *systemd.drop_in(
            f"postgresql@{version}-main",
            start="/usr/bin/pg_ctlcluster --skip-systemctl-redirect %i start",
            stop="/usr/bin/pg_ctlcluster --skip-systemctl-redirect -m fast %i stop",
            after_start=systemd.NEW_AUTH if with_dovecot else (),
        ),
        *(
            File(drop_in_path(f"postgresql@{other}-main"), None, activation=None)
            for other in _VERSIONS
            if other != version
        ),
    ]


def _hba_path(version: str) -> str:
    return f"/etc/postgresql/{version}/main/pg_hba.conf"


def _locked_out(settings: Settings, texts: Mapping[str, str]) -> str | None:
    said = (hba.locked_out(settings, text) for text in texts.values())
    return next(filter(None, said), None)


POSTGRESQL = Postgresql()
deploy = deployed(POSTGRESQL)
