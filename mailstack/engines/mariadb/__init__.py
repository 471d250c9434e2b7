"""MariaDB."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mailstack.engines.mariadb import converge, dialect, lookups
from mailstack.engines.mariadb.database import HostDatabase

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mailstack.endpoint import Endpoint
    from mailstack.engines.contract import Database, Dialect, Engine, Lookups, Step
    from mailstack.secrets import Store
    from mailstack.settings import Settings


class MariaDb:
    """See ``mailstack.engines.contract.Engine``."""

    client_packages = ("mariadb-client",)
    lookups: Lookups = lookups
    dialect: Dialect = dialect

    def database(self, settings: Settings) -> Database:
        """See ``Engine.database``."""
        return HostDatabase()

    def lookup_user(self, settings: Settings, daemon: str) -> str:
        """See ``Engine.lookup_user``. By the socket it is the daemon's system user."""
        return daemon if settings.mail_db_auth == "peer" else settings.mail_db_lookup_role

    def upgrade_user(self, settings: Settings) -> str:
        """See ``Engine.upgrade_user``."""
        return "dovecot" if settings.mail_db_auth == "peer" else settings.mail_db_upgrade_role

    def postfix_hosts(self, endpoints: Sequence[Endpoint]) -> str:
        """See ``Engine.postfix_hosts``. mysql_table(5) splits at the last colon: IPv6 needs no brackets."""
        (endpoint,) = endpoints
        return f"unix:{endpoint.host}" if endpoint.is_socket else f"inet:{endpoint.host}:{endpoint.port}"

    def postfix_environment(self, endpoints: Sequence[Endpoint]) -> str:
        """See ``Engine.postfix_environment``."""
        return ""

    def announce(self, settings: Settings) -> None:
        """See ``Engine.announce``."""
        converge.announce(settings, self.database(settings))

    def missing(self, settings: Settings) -> Iterator[Step]:
        """Yield nothing: the server's own database lists everything."""
        return iter(())

    def steps(self, settings: Settings, passwords: Store, slots: Sequence[str] = ()) -> Iterator[Step]:
        """See ``Engine.steps``."""
        return converge.steps(settings, self.database(settings), passwords)


ENGINE: Engine = MariaDb()
