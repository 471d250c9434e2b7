"""What the rest of mailstack wants of a database server, whichever it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

from mailstack.passwords import APP_DIGEST_ROUNDS, APP_DIGEST_SALT

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand

    from mailstack.endpoint import Endpoint
    from mailstack.secrets import Store
    from mailstack.settings import Settings


OWNER_PASSWORD = "db-owner-password"
LOOKUP_PASSWORD = "db-lookup-password"
UPGRADE_PASSWORD = "db-upgrade-password"
PASSWORDS = (OWNER_PASSWORD, LOOKUP_PASSWORD, UPGRADE_PASSWORD)
"""The names of the roles' passwords among the secrets."""

SIEVE_SCRIPTS = "/etc/dovecot/sieve"
"""The directory of the scripts that are no user's own; what Dovecot learns of a user may name one."""

Hashes = Literal["all", "old", "current"]
"""Which users a password query finds: all, or by the scheme of their hash."""


class Database(Protocol):
    """A server that has, or will have, the mail database; reached as one who may change it."""

    def announce(self, database: str, sql: str) -> None:
        """Say that ``query`` will be asked this, so that one command can carry it with others."""

    def query(self, database: str, sql: str) -> Any | None:
        """Run a query that returns one JSON value.

        Returns ``None`` while the server or ``database`` is not there yet. Nothing of it is printed.
        Raises ``OperationError`` for a query that fails.
        """

    def is_known(self, database: str, sql: str) -> bool:
        """Whether ``None`` from the same ``query`` means that there is no such database.

        If a server is installed and does not answer just now, there may be one.
        """

    def script(self, database: str, sql: str, title: str, *, transaction: bool = True) -> PyinfraCommand:
        """A command that runs ``sql``, as one transaction unless told otherwise.

        pyinfra shows ``title``, never the SQL.
        """


class Step(NamedTuple):
    """One thing to put right, in words, and the SQL that does it.

    + database: where it is run
    + transaction: whether as one transaction
    """

    title: str
    database: str
    sql: str
    transaction: bool = True


class Variables(NamedTuple):
    """What Dovecot calls things in a query, where it quotes them for SQL.

    + user, local_part, domain: of the login name or address that is looked up
    + service: what asks: ``imap``, ``lmtp``, ``smtp`` for Postfix, ``quota-status``, …
    + app_digest: ``passwords.app_digest`` of what a client sent
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
"""By the generation of Dovecot."""


class Lookups(Protocol):
    """What Postfix and Dovecot ask, in the engine's SQL: its module ``lookups``, which says more."""

    VIRTUAL_DOMAINS: str
    VIRTUAL_MAILBOXES: str
    SENDER_LOGINS: str
    RELAY_DOMAINS: str
    RELAY_RECIPIENTS: str
    DOVECOT_ITERATE: str

    def own_senders(self, local: Iterable[str]) -> str:
        """An action for access(5) if the domain is one of ours, or one of these."""

    def virtual_aliases(self, postmaster: str) -> str:
        """All about a recipient: aliases, mailboxes, and every domain's postmaster, who is ``postmaster``."""

    def dovecot_user(self, settings: Settings, generation: str) -> str:
        """Dovecot's userdb, for the generation ``2.3`` or ``2.4``."""

    def dovecot_password(self, settings: Settings, generation: str, hashes: Hashes = "all") -> str:
        """Dovecot's passdb, for the generation ``2.3`` or ``2.4``."""

    def dovecot_app_password(self, settings: Settings, generation: str) -> str:
        """Dovecot's passdb for app passwords."""

    def dovecot_login(self, settings: Settings, generation: str) -> str:
        """What Dovecot does after a login."""


class Dialect(Protocol):
    """How the engine spells what changes accounts need: its module ``dialect``."""

    def literal(self, value: str | int | bool | None) -> str:
        """A constant. Raises ``ValueError`` for text that can't be stored."""

    def begin(self, owner: str) -> list[str]:
        """Statements that begin a transaction on the tables of ``owner``, out of the server's log."""

    def end(self) -> list[str]:
        """Statements that end what ``begin`` began, before the transaction is committed."""

    def read_tables(self, tables: Sequence[str]) -> str:
        """A query for all rows as JSON, ``{table: [{column: value}]}``, without the columns that are NULL.

        A table that is not there yet has none.
        """

    def insert_new(self, table: str, columns: Sequence[str], rows: str) -> str:
        """Insert ``rows``, written as for VALUES, but for those whose key is there already."""


class Engine(Protocol):
    """A kind of database server."""

    @property
    def socket(self) -> str:
        """What clients on its host are told to connect through its socket."""

    @property
    def client_packages(self) -> tuple[str, ...]:
        """The engine's command-line client."""

    @property
    def lookups(self) -> Lookups:
        """What Postfix and Dovecot ask."""

    @property
    def dialect(self) -> Dialect:
        """How accounts are changed."""

    def database(self, settings: Settings) -> Database:
        """The server that the settings speak of."""

    def lookup_user(self, settings: Settings, daemon: str) -> str:
        """The name by which the server knows a daemon that looks things up.

        + daemon: its account on the host
        """

    def upgrade_user(self, settings: Settings) -> str:
        """The name by which the server knows what upgrades hashes, which runs as ``dovecot``."""

    def postfix_hosts(self, endpoint: Endpoint) -> str:
        """Where Postfix finds it, as its SQL tables want that said."""

    def postfix_environment(self, endpoint: Endpoint) -> str:
        """Environment variables that Postfix needs to reach it, as in ``import_environment``."""

    def announce(self, settings: Settings) -> None:
        """Say what ``missing`` and ``steps`` will ask."""

    def missing(self, settings: Settings) -> Iterator[Step]:
        """Return what must be done before ``steps`` can see what else there is to do."""

    def steps(self, settings: Settings, passwords: Store) -> Iterator[Step]:
        """What differs in roles, database and schema, in the order in which it is put right.

        + passwords: of the roles

        Raises ``OperationError`` if the server refuses a query.
        """
