"""PostgreSQL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.endpoint import waits
from mailstack.engines.postgresql import converge, dialect, lookups, replication
from mailstack.engines.postgresql.database import DsnDatabase, HostDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailstack.endpoint import Endpoint
    from mailstack.engines.contract import Dialect, Engine, Lookups, Step
    from mailstack.engines.postgresql.database import Server
    from mailstack.secrets import Store
    from mailstack.settings import Settings


class PostgreSql:
    """See ``mailstack.engines.contract.Engine``."""

    client_packages = ("postgresql-client",)
    lookups: Lookups = lookups
    dialect: Dialect = dialect

    def database(self, settings: Settings) -> Server:
        """Return the server of ``mail_db_dsn``, else that of the current host."""
        if settings.mail_db_dsn is not None:
            return DsnDatabase(settings.mail_db_dsn.get_secret_value())
        return HostDatabase(settings.db_port)

    def lookup_user(self, settings: Settings, daemon: str) -> str:
        """Return the one role; ``pg_ident.conf`` lists the system users that need no password for it."""
        return settings.mail_db_lookup_role

    def upgrade_user(self, settings: Settings) -> str:
        """See ``Engine.upgrade_user``."""
        return settings.mail_db_upgrade_role

    def postfix_hosts(self, endpoints: Sequence[Endpoint]) -> str:
        """Return the addresses. A URI would need the password too, which Postfix logs on errors.

        Postfix asks a socket first, and chooses another address at random (dict_pgsql.c).
        """
        return " ".join(map(_postfix_host, endpoints))

    def postfix_environment(self, endpoints: Sequence[Endpoint]) -> str:
        """Return libpq's variables for which pgsql_table(5) has no parameter."""
        first, last = endpoints[0], endpoints[-1]
        sslmode = last.sslmode or ("prefer" if last.is_local else "require")
        trusted = f" PGSSLROOTCERT={last.sslrootcert}" if last.sslrootcert else ""
        port = f" PGPORT={first.port}" if first.is_socket else ""
        return f"PGCONNECT_TIMEOUT={waits(endpoints).connect} PGSSLMODE={sslmode}{trusted}{port}"

    def announce(self, settings: Settings) -> None:
        """See ``Engine.announce``."""
        converge.announce(settings, self.database(settings))
        if settings.mail_db_dsn is None:
            replication.announce(settings)

    def missing(self, settings: Settings) -> Iterator[Step]:
        """See ``Engine.missing``."""
        return converge.missing(settings, self.database(settings))

    def steps(self, settings: Settings, passwords: Store, slots: Sequence[str] = ()) -> Iterator[Step]:
        """See ``Engine.steps``."""
        yield from converge.steps(settings, self.database(settings), passwords)
        if settings.mail_db_dsn is None:
            yield from replication.steps(settings, slots, passwords)


def _postfix_host(endpoint: Endpoint) -> str:
    if endpoint.is_socket:
        return f"unix:{endpoint.host}"
    address = f"[{endpoint.host}]" if ":" in endpoint.host else endpoint.host
    return f"inet:{address}:{endpoint.port}"


ENGINE: Engine = PostgreSql()
