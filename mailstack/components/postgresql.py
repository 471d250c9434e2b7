"""PostgreSQL with the mail database: its roles, its schema and its clients."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationValueError

from mailstack.components import fence, former_database, systemd
from mailstack.components.backends import BACKENDS
from mailstack.components.component import Requirement, Site
from mailstack.components.converge import Database, deployed
from mailstack.components.declarations import Port, ServiceProbe, State
from mailstack.components.passwords import PASSWORDS_OF_DATABASE
from mailstack.components.replication import REPLICATION
from mailstack.engines.postgresql import hba
from mailstack.facts import clusters
from mailstack.facts.files import FileTexts
from mailstack.facts.platform import ACCEPTED, CLUSTERS
from mailstack.facts.units import drop_in_path
from mailstack.files import Entry, File, Shared
from mailstack.operations.standby import Standby, converge, not_ours
from mailstack.operations.units import Unit
from mailstack.replication import AUTHORITY, CERTIFICATE, KEY, PASSWORD_FILE, ROLE, slot
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailstack.facts.platform import ByPlatform, Clusters, Platform
    from mailstack.files import Group
    from mailstack.operations.sql import Server
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
    requires = (PASSWORDS_OF_DATABASE, REPLICATION, BACKENDS)
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
            Requirement(CLUSTERS, lambda found: _other_role(site, found)),
            *former_database.of_clients(site),
        ]

    def packages(self, site: Site, platform: Platform) -> Sequence[str]:
        """See ``Component``."""
        return ("postgresql",)

    def files(self, site: Site, platform: Platform) -> Sequence[Entry]:
        """See ``Component``."""
        version = platform.postgresql
        directory = f"/etc/postgresql/{version}/main"
        clients = site.topology.database_clients(site.settings)
        peers = [node.reachable_at for node in site.topology.database_peers(site.settings)]
        values = {
            "settings": site.settings,
            "clients": [_network(address) for address in clients],
            "peers": [_network(address) for address in peers],
            "replica": ROLE,
            "certificate": CERTIFICATE,
            "key": KEY,
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
            *self._following(site, directory),
            *_service_files(version, with_dovecot=site.here.has_mail),
            *fence.files(site, version),
        ]

    def _following(self, site: Site, directory: str) -> list[File]:
        """Return a standby's connection to the primary, which a reload changes."""
        if not site.topology.is_replicated(site.settings):
            return []
        values = {"conninfo": conninfo(site), "slot": slot(site.here.name)}
        text = render("postgresql/mailstack-standby.conf", **values) if site.has_standby else None
        return [File(f"{directory}/conf.d/mailstack-standby.conf", text, *_OWNER)]

    def follow(self, site: Site, trust: ByPlatform[Sequence[Group]], server: Server) -> None:
        """See ``Database``."""
        primary = site.topology.database_nodes(site.settings)[0]
        certificate = REPLICATION.certificate(site)
        name = slot(site.here.name)
        standby = Standby(primary, name, conninfo(site), trust, certificate, server)
        converge(site.settings, standby)

    def before_files(self, site: Site, platform: Platform) -> str:
        """See ``Component``."""
        create = script("create_cluster", platform.postgresql, str(site.settings.db_port))
        replicated = site.topology.is_replicated(site.settings)
        return create if replicated else f"{create}\n{script('end_units', fence.UNIT_FILE)}"

    def restart_if(self, site: Site) -> Mapping[str, str]:
        """See ``Component``."""
        return {"postgresql": script("restart_if_postgresql")}

    def units(self, site: Site, platform: Platform) -> Sequence[Unit]:
        """See ``Component``: Debian has a service for each version, and a wrapper around them."""
        watch = [fence.unit()] if site.topology.is_replicated(site.settings) else []
        return [
            Unit(
                "postgresql",
                f"postgresql@{platform.postgresql}-main",
                clients=("dovecot", "postfix"),
                program=f"/usr/lib/postgresql/{platform.postgresql}/bin/postgres",
                drop_in=True,
                listens=(f"{site.settings.db_kind.socket}/.s.PGSQL.{site.settings.db_port}",),
            ),
            *watch,
        ]

    def ports(self, site: Site) -> Sequence[Port]:
        """See ``Component``."""
        peers = [node.reachable_at for node in site.topology.database_peers(site.settings)]
        others = sorted({*site.topology.database_clients(site.settings), *peers})
        return [Port(site.settings.db_port, "postgresql", tuple(others))] if others else []

    def state(self, site: Site) -> Sequence[State]:
        """See ``Component``."""
        return [State(site.settings.mail_db_name, "database")]

    def probes(self, site: Site, platform: Platform) -> Sequence[ServiceProbe]:
        """See ``Component``."""
        settings = site.settings
        where = (str(settings.db_port), settings.mail_db_name)
        ask = script("probe_postgresql", *where)
        standby = ServiceProbe(
            "the standby follows the primary",
            f"{script('psql')}\n{script('probe_standby', *where)}",
            f"is the primary up? Then mailstack.db.rejoin {site.here.name} gives it a copy of the data",
        )
        return [
            ServiceProbe(
                "PostgreSQL has the mail database",
                f"{script('psql')}\n{ask}",
                f"systemctl start postgresql@{platform.postgresql}-main; its log in /var/log/postgresql says"
                " why it ended; pyinfra INVENTORY deploy.py creates what is missing",
            ),
            *([standby] if site.has_standby else []),
        ]


def conninfo(site: Site) -> str:
    """Return libpq's connection string of a standby for its primary; the password is in a file."""
    primary = site.topology.database_nodes(site.settings)[0]
    return (
        f"host={primary.reachable_at} port={site.settings.db_port} user={ROLE} passfile={PASSWORD_FILE} "
        f"sslmode=verify-full sslrootcert={AUTHORITY} application_name={slot(site.here.name)} "
        "connect_timeout=5 tcp_user_timeout=10000"
    )


def _other_role(site: Site, found: Clusters) -> str | None:
    """Return the error for a cluster that is not what the inventory says: the primary, or a standby."""
    if not site.topology.is_replicated(site.settings):
        return None
    primary = site.topology.database_nodes(site.settings)[0].name
    for cluster in found.clusters:
        if (cluster.version, cluster.name) != (found.for_mail, clusters.NAME):
            continue
        if site.has_standby and cluster.has("used") and not cluster.has("standby"):
            here = f"mail_db_primary = {site.here.name!r}"
            return f"mail_db_primary: {primary}; {not_ours(str(cluster))}, or {here}"
        if not site.has_standby and cluster.has("standby"):
            return (
                f"mail_db_primary: the PostgreSQL of {primary} is a standby; allowed: the host with the "
                f"primary, or mailstack.db.promote {primary} before"
            )
    return None


def _network(address: str) -> str:
    return f"{address}/{128 if ':' in address else 32}"


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
