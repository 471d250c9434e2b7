"""PostgreSQL with the mail database: its roles, its schema, and who may connect."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyinfra.api.deploy import deploy as pyinfra_deploy
from pyinfra.api.exceptions import OperationValueError
from pyinfra.context import host

from mailstack import database_passwords, hosts, topology
from mailstack.files import Entry, File
from mailstack.operations import sql, units
from mailstack.operations.config_files import config_files
from mailstack.operations.kept_secrets import kept_secrets
from mailstack.operations.packages import installed
from mailstack.operations.units import Unit, restart_if_differs
from mailstack.templates import render

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mailstack.facts.platform import Platform
    from mailstack.settings import Settings

PACKAGES = ("postgresql",)
_OWNER = ("postgres", "postgres")
# Only of one version anything is staged. Where ours lies already, PostgreSQL may run with whatever was in it.
# Where none does, -C says what the configuration comes to; but for these two, ours needs no start.
_LIVE = 'version=$(ls "$stage"/etc/postgresql); live=/etc/postgresql/$version/main/conf.d/mailstack.conf'
_AS_IT_IS = f"""{_LIVE}
[ -e $live ] && cat $live || for name in listen_addresses port; do
  runuser -u postgres -- /usr/lib/postgresql/$version/bin/postgres -D /etc/postgresql/$version/main -C $name
done"""
_STAGED = f"""{_LIVE}
[ -e $live ] && cat "$stage$live" ||
  sed -n "s/^listen_addresses = '\\(.*\\)'/\\1/p; s/^port = //p" "$stage$live\""""
_CHECKS = (
    # to start PostgreSQL takes seconds, in which all lookups fail
    restart_if_differs("postgresql", _AS_IT_IS, _STAGED),
)


def files(settings: Settings, version: str, clients: Sequence[str] = ()) -> list[Entry]:
    """The server's configuration.

    + version: major version of PostgreSQL
    + clients: IP addresses of other hosts that look things up
    """
    directory = f"/etc/postgresql/{version}/main"
    values = {
        "settings": settings,
        "clients": [f"{address}/{128 if ':' in address else 32}" for address in clients],
    }
    return [
        *database_passwords.files(settings),
        File(f"{directory}/pg_hba.conf", render("postgresql/pg_hba.conf", **values), *_OWNER, 0o640),
        File(f"{directory}/pg_ident.conf", render("postgresql/pg_ident.conf", **values), *_OWNER, 0o640),
        File(f"{directory}/conf.d/mailstack.conf", render("postgresql/mailstack.conf", **values), *_OWNER),
    ]


def unit(platform: Platform) -> Unit:
    """The service: Debian has one for each version, and a wrapper around them."""
    return Unit("postgresql", f"postgresql@{platform.postgresql}-main", clients=("dovecot", "postfix"))


@pyinfra_deploy("PostgreSQL")
def deploy(settings: Settings) -> None:
    """Install PostgreSQL and make the mail database in it.

    With ``mail_db_dsn`` nothing is installed: the database is made on the server that it names.
    Raises ``OperationValueError`` if ``mail_db_engine`` is another.
    """
    if settings.mail_db_engine != "postgresql":
        raise OperationValueError("mail_db_engine: the component postgres is for 'postgresql'")
    topology.check(settings, host)
    if settings.mail_db_dsn is None:
        clients = hosts.database_clients(settings, host)
        installed(lambda _: PACKAGES)
        config_files(
            lambda platform: files(settings, platform.postgresql, clients),
            component="postgresql",
            units=["postgresql"],
            checks=_CHECKS,
        )
        units.running("postgresql", unit)
        if settings.mail_db_auth == "password":
            kept_secrets(database_passwords.generated(settings))
    sql.converge(settings, database_passwords.store(settings))
