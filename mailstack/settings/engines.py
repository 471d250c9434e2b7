"""The database engines: what settings, topology and components need to know of each.

A new engine needs an entry here, a package ``mailstack/engines/NAME`` (``mailstack.engines.contract``), a
component ``mailstack/components/NAME.py``, and its templates.
"""

from typing import Literal, NamedTuple

EngineName = Literal["postgresql", "mysql"]
MapType = Literal["proxy:pgsql", "pgsql", "proxy:mysql", "mysql"]


class EngineKind(NamedTuple):
    """A database engine.

    + title: its usual name
    + module: the package in ``mailstack.engines``, which has the engine as ``ENGINE``
    + unit: the systemd unit of its packages
    + driver: its name in Postfix, in Dovecot and in their packages for it
    + port: its default
    + socket: the Unix-domain socket for clients on its host; for libpq its directory
    + only_local: whether connections from other hosts would be unencrypted
    + by_address: whether Postfix reaches it by TCP on its own host too
    + not_with: settings that are for other engines only
    + taken: names that its databases and roles can't have
    """

    title: str
    module: str
    unit: str
    driver: str
    port: int
    socket: str
    only_local: bool = False
    by_address: bool = False
    not_with: tuple[str, ...] = ()
    taken: frozenset[str] = frozenset()


ENGINES: dict[EngineName, EngineKind] = {
    "postgresql": EngineKind(
        "PostgreSQL", "postgresql", "postgresql.service", "pgsql", 5432, "/run/postgresql"
    ),
    "mysql": EngineKind(
        "MariaDB",
        "mariadb",
        "mariadb.service",
        "mysql",
        3306,
        "/run/mysqld/mysqld.sock",
        only_local=True,
        # it identifies clients by their address, and smtpd(8) in its chroot can't reach its socket
        by_address=True,
        not_with=("mail_db_dsn", "mail_db_hba", "mail_db_host", "mail_webmail"),
        taken=frozenset(
            (
                *("mysql", "sys", "information_schema", "performance_schema"),
                *("root", "postfix", "dovecot", "mariadb"),
            )
        ),
    ),
}
"""The engines by their value of ``mail_db_engine``."""

UNITS = tuple(kind.unit for kind in ENGINES.values())
"""The units of all engines, for ``After=``, where systemd ignores units that don't exist."""
