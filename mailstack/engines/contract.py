"""The interface that every database engine provides to the rest of mailstack."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from mailstack.passwords import APP_DIGEST_ROUNDS, APP_DIGEST_SALT

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand
    from pyinfra.api.host import Host

    from mailstack.endpoint import Endpoint
    from mailstack.secrets import Store
    from mailstack.settings import Settings


OWNER_PASSWORD = "db-owner-password"
LOOKUP_PASSWORD = "db-lookup-password"
UPGRADE_PASSWORD = "db-upgrade-password"
WEBMAIL_PASSWORD = "db-webmail-password"
PASSWORDS = (OWNER_PASSWORD, LOOKUP_PASSWORD, UPGRADE_PASSWORD)
"""The names of the roles' passwords among the secrets, beside that of webmail."""


def passwords_of(settings: Settings) -> tuple[str, ...]:
    """Return the names of the passwords of all roles that a database has with these settings."""
    return (*PASSWORDS, WEBMAIL_PASSWORD) if settings.mail_webmail else PASSWORDS


SIEVE_SCRIPTS = "/etc/dovecot/sieve"
"""The directory of mailstack's own Sieve scripts, one of which a userdb lookup may name."""

Hashes = Literal["all", "old", "current"]
"""The users that a password query finds: all, or by the scheme of their hash."""


class Database(Protocol):
    """The server of the mail database, accessed as an administrator. The database may not exist yet."""

    def announce(self, database: str, sql: str) -> None:
        """Announce a query, so that one command can run it along with others."""

    def query(self, database: str, sql: str, host: Host | None = None) -> Any | None:
        """Run a query that returns one JSON value.

        + host: the host with the server, by default the current one

        Returns ``None`` while the server or ``database`` does not exist. Neither SQL nor result is printed.
        Raises ``OperationError`` for a query that fails.
        """

    def is_known(self, database: str, sql: str) -> bool:
        """Return whether ``None`` from the same ``query`` means that the database does not exist.

        It may exist if a server is installed that does not answer now.
        """

    def script(self, database: str, sql: str, title: str, *, transaction: bool = True) -> PyinfraCommand:
        """Return a command that runs ``sql``, by default as one transaction.

        pyinfra shows ``title``, never the SQL.
        """

    def changing(self, database: str, sql: str) -> str:
        """Return a shell script that runs ``sql`` as one transaction, on the host with the server.

        A server of ``mail_db_dsn`` has no such host, so it raises ``NotImplementedError``.
        """


class Step(NamedTuple):
    """One change, with its title and its SQL.

    + database: the database in which the SQL runs
    + transaction: whether it runs as one transaction
    """

    title: str
    database: str
    sql: str
    transaction: bool = True


class Variables(NamedTuple):
    """The names of Dovecot's variables in a query. Dovecot quotes their values for SQL.

    + user, local_part, domain: the login name or address that is looked up, and its parts
    + service: the client: ``imap``, ``lmtp``, ``smtp`` for Postfix, ``quota-status``, …
    + app_digest: ``passwords.app_digest`` of the password that the client sent
    """

    user: str
    local_part: str
    domain: str
    service: str
    app_digest: str


DOVECOT = {
    "2.3": Variables(
        "%u", "%n", "%d", "%s", f"%{{sha256;rounds={APP_DIGEST_ROUNDS},salt={APP_DIGEST_SALT}:password}}"
    ),
    "2.4": Variables(
        "%{user}",
        "%{user | username}",
        "%{user | domain}",
        "%{protocol}",
        f"%{{password | sha256(rounds={APP_DIGEST_ROUNDS}, salt='{APP_DIGEST_SALT}') | hexlify}}",
    ),
}
"""The variables of each generation of Dovecot."""


class Lookups(Protocol):
    """The queries of Postfix and Dovecot in the engine's SQL: its module ``lookups``, which says more."""

    VIRTUAL_DOMAINS: str
    SIGNED_DOMAINS: str
    USER_LIMITS: str
    VIRTUAL_MAILBOXES: str
    SENDER_LOGINS: str
    RELAY_DOMAINS: str
    RELAY_RECIPIENTS: str
    DOVECOT_ITERATE: str

    def own_senders(self, local: Iterable[str]) -> str:
        """Return a query for access(5): an action if the domain is this server's, or among ``local``."""

    def foreign_senders(self, route: str, local: Iterable[str]) -> str:
        """Return a query for a sender: ``route``, if its domain is not this server's, nor among ``local``."""

    def virtual_aliases(self, postmaster: str) -> str:
        """Return the query for a recipient: aliases, mailboxes, and ``postmaster`` for each domain's."""

    def recipient_class(self, postmaster: str) -> str | None:
        """Return the query for ``known_recipient`` or, with a quota, ``limited_recipient``; or no query.

        Without a row, there is no such recipient. With this query, Postfix asks neither ``virtual_aliases``
        nor the quota service about a recipient without a quota.
        """

    def dovecot_user(self, settings: Settings, generation: str) -> str:
        """Return Dovecot's userdb query, for the generation ``2.3`` or ``2.4``."""

    def dovecot_password(self, settings: Settings, generation: str, hashes: Hashes = "all") -> str:
        """Return Dovecot's passdb query, for the generation ``2.3`` or ``2.4``."""

    def dovecot_app_password(self, settings: Settings, generation: str) -> str:
        """Return Dovecot's passdb query for app passwords."""

    def dovecot_login(self, settings: Settings, generation: str) -> str:
        """Return the query that Dovecot runs after a login, which records it."""


class Rows(NamedTuple):
    """A query for rows, written so that every engine takes it.

    + columns: the SQL of each column
    + source: the query from FROM on, without GROUP BY
    """

    columns: Sequence[str]
    source: str


class Dialect(Protocol):
    """The engine's SQL for reading and changing accounts: its module ``dialect``."""

    def literal(self, value: str | int | bool | None) -> str:
        """Return a constant. Raises ``ValueError`` for text that can't be stored."""

    def begin(self, owner: str) -> list[str]:
        """Return statements that begin a transaction on the tables of ``owner``, without logging."""

    def end(self) -> list[str]:
        """Return statements that end what ``begin`` began, before the transaction is committed."""

    def read_tables(self, tables: Sequence[str]) -> str:
        """Return a query for all rows as JSON, ``{table: [{column: value}]}``, without columns that are NULL.

        A missing table has no rows.
        """

    def read_rows(self, queries: Mapping[str, Rows]) -> str:
        """Return a query for the rows of several queries as JSON, for ``rows``."""

    def rows(self, answer: Mapping[str, Any]) -> Mapping[str, Sequence[Sequence[Any]]]:
        """Return the rows of each query by its name, from the answer to ``read_rows``.

        A query without rows may be missing in it. True and false may be 1 and 0.
        """

    def health(self) -> str:
        """Return a query for the state of the server and the current database, as JSON.

        It is an object with ``version``, ``bytes`` of the database, ``connections`` and their ``limit``. With
        replication, ``replicas`` have ``name``, ``address``, ``state``, and ``behind`` in bytes;
        ``idle_slots`` are names of slots that nothing reads; ``standby`` is whether the server is a replica.
        """

    def seconds(self, time: str) -> str:
        """Return SQL for a time as seconds since 1970.

        + time: SQL of a column of the type ``time``
        """

    def with_key(self, query: str, local_part: str, domain: str) -> str:
        """Return a query of ``Lookups`` for Postfix with an address in it, as Postfix puts it there."""

    def answers(self, query: str) -> str:
        """Return what stands after FROM, for the answers of ``Lookups.virtual_aliases`` as ``address``."""

    def insert_new(self, table: str, columns: Sequence[str], rows: str) -> str:
        """Return a statement that inserts ``rows``, written as for VALUES, except those whose key exists."""


class Engine(Protocol):
    """A database engine."""

    @property
    def client_packages(self) -> tuple[str, ...]:
        """The packages of the engine's command-line client."""

    @property
    def lookups(self) -> Lookups:
        """The queries of Postfix and Dovecot."""

    @property
    def dialect(self) -> Dialect:
        """The SQL that changes accounts."""

    def database(self, settings: Settings) -> Database:
        """Return the server of these settings."""

    def lookup_user(self, settings: Settings, daemon: str) -> str:
        """Return the database account that a daemon uses for lookups.

        + daemon: its system user
        """

    def upgrade_user(self, settings: Settings) -> str:
        """Return the database account of the script that upgrades hashes, run as ``dovecot``."""

    def postfix_hosts(self, endpoints: Sequence[Endpoint]) -> str:
        """Return the servers' addresses in the form of Postfix's SQL tables."""

    def postfix_environment(self, endpoints: Sequence[Endpoint]) -> str:
        """Return the variables that Postfix needs to reach them, as in ``import_environment``."""

    def announce(self, settings: Settings) -> None:
        """Announce the queries of ``missing`` and ``steps``."""

    def missing(self, settings: Settings) -> Iterator[Step]:
        """Yield the changes that must be made before ``steps`` can find the others."""

    def steps(self, settings: Settings, passwords: Store, slots: Sequence[str] = ()) -> Iterator[Step]:
        """Yield the changes of roles, database and schema, in the order in which they are made.

        + passwords: the passwords of the roles
        + slots: the replication slots of the standbys, if the engine has such

        Raises ``OperationError`` if the server refuses a query.
        """
