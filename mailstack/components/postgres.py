"""PostgreSQL with the mail database: its roles, its schema, and who may connect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationValueError

from mailstack import database_passwords, hosts
from mailstack.components import systemd
from mailstack.components.component import component
from mailstack.engines import engine_of
from mailstack.engines.postgresql import hba
from mailstack.facts import clusters
from mailstack.facts.files import FileTexts
from mailstack.facts.platform import CLUSTERS, RELEASES
from mailstack.facts.reading import require
from mailstack.facts.units import drop_in_path
from mailstack.files import Entry, File, Shared
from mailstack.operations import sql, units
from mailstack.operations.config_files import config_files
from mailstack.operations.packages import installed
from mailstack.operations.units import Unit
from mailstack.shell import script
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mailstack.facts.platform import Platform
    from mailstack.settings import Settings

PACKAGES = ("postgresql",)
_VERSIONS = [release.postgresql for release in RELEASES]
_OWNER = ("postgres", "postgres")


def files(
    settings: Settings, version: str, clients: Sequence[str] = (), *, with_dovecot: bool = True
) -> list[Entry]:
    """The server's configuration.

    + version: major version of PostgreSQL
    + clients: IP addresses of other hosts that look things up
    + with_dovecot: whether Dovecot runs on the same host
    """
    directory = f"/etc/postgresql/{version}/main"
    values = {
        "settings": settings,
        "clients": [f"{address}/{128 if ':' in address else 32}" for address in clients],
    }

    def lines(theirs: str) -> str:
        return render("postgresql/pg_hba.conf", others=bool(hba.rules(theirs)), **values)

    return [
        *database_passwords.files(settings),
        Shared(f"{directory}/pg_hba.conf", lines, *_OWNER, 0o640),
        Shared(
            f"{directory}/pg_ident.conf",
            lambda _: render("postgresql/pg_ident.conf", **values),
            *_OWNER,
            0o640,
            claimed=lambda line: line.split()[:1] == ["mailstack"],
        ),
        File(f"{directory}/conf.d/mailstack.conf", render("postgresql/mailstack.conf", **values), *_OWNER),
        *(systemd.new_auth() if with_dovecot else []),
        *systemd.drop_in(
            f"postgresql@{version}-main",
            stop="/usr/bin/pg_ctlcluster --skip-systemctl-redirect -m fast %i stop",
            after_start=systemd.NEW_AUTH if with_dovecot else (),
        ),
        # of the cluster that the database was in before an upgrade
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


def unit(settings: Settings, platform: Platform) -> Unit:
    """Return the service: Debian has one for each version, and a wrapper around them."""
    return Unit(
        "postgresql",
        f"postgresql@{platform.postgresql}-main",
        clients=("dovecot", "postfix"),
        program=f"/usr/lib/postgresql/{platform.postgresql}/bin/postgres",
        drop_in=True,
        listens=(f"{engine_of(settings).socket}/.s.PGSQL.{settings.db_port}",),
    )


@component("PostgreSQL")
def deploy(settings: Settings) -> None:
    """Install PostgreSQL and make the mail database in it.

    With ``mail_db_dsn`` nothing is installed: the database is made on the server that it names.
    Raises ``OperationValueError`` if ``mail_db_engine`` is another.
    """
    if settings.mail_db_engine != "postgresql":
        raise OperationValueError("mail_db_engine: the component postgres is for 'postgresql'")
    topology = hosts.checked(settings)
    if settings.mail_db_dsn is None:
        clients, with_dovecot = topology.database_clients(settings), topology.here.has_mail
        require(FileTexts.of(map(_hba_path, _VERSIONS)), lambda texts: _locked_out(settings, texts))
        require(CLUSTERS, lambda found: clusters.problem(found.clusters, found.for_mail, settings.db_port))
        installed(lambda _: PACKAGES)
        config_files(
            lambda platform: files(settings, platform.postgresql, clients, with_dovecot=with_dovecot),
            component="postgresql",
            units=["postgresql"],
            check=script("check_postgresql", str(settings.db_port)),
        )
        units.running("postgresql", lambda platform: [unit(settings, platform)])
        database_passwords.generate(settings)
    sql.converge(settings, database_passwords.store(settings))
