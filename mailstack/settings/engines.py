"""The kinds of database servers, as far as settings, topology and components differ by them.

A new one is an entry here, a package ``mailstack/engines/NAME`` (``mailstack.engines.contract``), a component
``mailstack/components/NAME.py``, and its templates.
"""

from typing import Literal, NamedTuple

EngineName = Literal["postgresql", "mysql"]
MapType = Literal["proxy:pgsql", "pgsql", "proxy:mysql", "mysql"]


class EngineKind(NamedTuple):
    """A kind of database server.

    + title: what people call it
    + module: the package in ``mailstack.engines``, which has the engine as ``ENGINE``
    + component: the module in ``mailstack.components`` that installs it
    + unit: what its packages call its service
    + driver: what Postfix, Dovecot and the packages that they need for it call it
    + only_local: whether nothing would encrypt what goes to it from another host
    + by_address: whether Postfix reaches it by TCP on its own host too
    + not_with: settings that are for other kinds
    + taken: names that its databases and accounts can't have
    """

    title: str
    module: str
    component: str
    unit: str
    driver: str
    port: int
    only_local: bool = False
    by_address: bool = False
    not_with: tuple[str, ...] = ()
    taken: frozenset[str] = frozenset()


ENGINES: dict[EngineName, EngineKind] = {
    "postgresql": EngineKind("PostgreSQL", "postgresql", "postgres", "postgresql.service", "pgsql", 5432),
    "mysql": EngineKind(
        "MariaDB",
        "mariadb",
        "mariadb",
        "mariadb.service",
        "mysql",
        3306,
        only_local=True,
        # it knows by the address who asks, and smtpd(8) in its chroot has no socket of it
        by_address=True,
        not_with=("mail_db_dsn", "mail_db_hba", "mail_db_host"),
        taken=frozenset(
            (
                *("mysql", "sys", "information_schema", "performance_schema"),
                *("root", "postfix", "dovecot", "mariadb"),
            )
        ),
    ),
}
"""By the value of ``mail_db_engine``."""

UNITS = tuple(kind.unit for kind in ENGINES.values())
"""The services of all: what may stand in an ``After=``, as a unit that is not there does not matter."""
