"""Access to the mail database as an administrator: two classes with the methods of ``Database``.

One uses ``psql`` as the superuser on the host that runs PostgreSQL. The other uses ``psycopg2`` from the
machine that runs pyinfra, for a server outside the inventory (``mail_db_dsn``).
"""

from __future__ import annotations

import hashlib
import json
import shlex
import time
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import OperationError

from mailstack.engines import locks
from mailstack.facts.fact import Question
from mailstack.facts.reading import announce, read
from mailstack.operation import local_command
from mailstack.shell import script, shell, with_input

if TYPE_CHECKING:
    from psycopg2.extensions import connection
    from pyinfra.api.host import Host

A = TypeVar("A")

SERVER = "postgres"
"""The database that every server has, in which the mail database is created. Existing lines of
``pg_hba.conf`` decide who may connect to it."""
_PATIENCE = f"SET LOCAL lock_timeout = '{locks.SECONDS}s'; "
_REST = (
    "DO $$ BEGIN PERFORM set_config('lock_timeout', GREATEST(500, 1000 *"
    f" ({locks.SECONDS} - EXTRACT(EPOCH FROM clock_timestamp() - backend_start)))::int::text, false)"
    " FROM pg_stat_activity WHERE pid = pg_backend_pid(); END $$"
)
"""Limits what all queries of a session wait together, in milliseconds, but for half a second of each."""
_STOPPING = ("08", "57P")
"""SQLSTATE of a server that shuts down (PostgreSQL's manual, appendix A)."""


class _Query(NamedTuple):
    """SQL that returns one JSON value, with its port and database."""

    port: int
    database: str
    sql: str

    @property
    def label(self) -> str:
        """The mark that tells its answer from others."""
        return _label(self)


@cache
def _label(query: _Query) -> str:
    return hashlib.sha256(repr(query).encode()).hexdigest()


class HostDatabase:
    """The server that runs on the current host; ``psql`` connects through the socket as ``postgres``.

    + port: the server's port, which is in the name of its socket
    """

    def __init__(self, port: int = 5432) -> None:
        self.port = port

    def announce(self, database: str, sql: str) -> None:
        """See ``Database.announce``."""
        announce(_Answer.of(self.port, database, sql))

    def query(self, database: str, sql: str, host: Host | None = None) -> Any | None:
        """See ``Database.query``."""
        return read(_Answer.of(self.port, database, sql), host)

    def is_known(self, database: str, sql: str) -> bool:
        """See ``Database.is_known``."""
        return read(_IsKnown.of(self.port, database, sql))

    def script(self, database: str, sql: str, title: str, *, transaction: bool = True) -> PyinfraCommand:
        """See ``Database.script``; the SQL goes through standard input, so that ``ps`` does not show it."""
        options = ["-v", "ON_ERROR_STOP=1", *(["-1"] if transaction else [])]
        port = str(self.port)
        if database == SERVER:
            run = script("run_postgresql", port, *options)
        else:
            psql = shlex.join(["as_superuser", port, "-d", database, *options, "-f", "-"])
            run = f"cd / && {psql} >/dev/null"
        return shell("\n".join([f": {shlex.quote(title)}", script("psql"), run]), sql)

    def changing(self, database: str, sql: str) -> str:
        """See ``Database.changing``."""
        psql = ["as_superuser", str(self.port), "-d", database, "-v", "ON_ERROR_STOP=1", "-1", "-f", "-"]
        text = f"{_PATIENCE}{sql}"
        return with_input("\n".join([script("psql"), f"cd / && {shlex.join(psql)} >/dev/null"]), text)

    def can_login(self, database: str, role: str, password: str) -> bool | None:
        """Return ``None``: the superuser can read the stored verifier, so no login is tried."""
        return None


class _Asked(Question[A]):
    """A query; all queries to one database share a session."""

    def command(self, port: int, database: str, sql: str) -> str:
        """Ask the server with that port."""
        return self.asking([_Query(port, database, sql)])

    @staticmethod
    def ask(about: Sequence[_Query]) -> str:
        """See ``Question.ask``."""
        databases: dict[tuple[int, str], list[_Query]] = {}
        for query in about:
            databases.setdefault((query.port, query.database), []).append(query)
        sessions = (f"({_session(*where, asked)}\n)" for where, asked in databases.items())
        return "\n".join([script("psql"), *sessions])

    def _said(self, output: str) -> tuple[str, str]:
        """Return the answer, and the state with its message."""
        (query,) = self.about
        answer, _, rest = output.partition(f"\f{query.label}\n")[2].partition("\f")
        return answer, rest.partition("\f")[0].strip()


def _session(port: int, database: str, queries: Sequence[_Query]) -> str:
    commands = []
    for query in queries:
        commands += [_REST, f"\\echo '\\f'{query.label}", query.sql]
        commands += [r"\echo '\f':SQLSTATE :LAST_ERROR_MESSAGE"]
    options = [text for command in commands for text in ("-c", command)]
    labels = " ".join(query.label for query in queries)
    return script("ask_postgresql", str(port), database, labels, *options)


class _IsKnown(_Asked[bool]):
    """Return whether a running server answered, or there is no ``psql``, so no server."""

    def parse(self, output: str) -> bool:
        """See ``Question.parse``."""
        _, state = self._said(output)
        return not output or (state != "" and not state.startswith(_STOPPING))


class _Answer(_Asked["Any | None"]):
    """Return the result of a query, or ``None`` if no server or database answered."""

    def parse(self, output: str) -> Any | None:
        """See ``Question.parse``."""
        answer, status = self._said(output)
        state, _, message = status.partition(" ")
        if not state or state.startswith(_STOPPING):
            return None
        if state != "00000":
            raise OperationError(f"the database refused a query: {locks.explained(message)}")
        # only a missing database gives no answer
        return json.loads(answer) if answer.strip() else None


class _NoSuchDatabaseError(OperationError):
    """Raised if the server is running but the database does not exist."""


class RefusedError(OperationError):
    """Raised if the server refused a transaction, so that it has changed nothing."""


CONNECT = 10
"""Seconds until a server of ``mail_db_dsn`` must have answered a new connection."""
_silent: dict[str, str] = {}
"""The errors of servers that did not answer within that time, by connection string. The queries of a run
would wait for it one after the other."""


class DsnDatabase:
    """A server reached by a connection string from the machine that runs pyinfra.

    + dsn: a libpq URI or keyword string of a role that may create roles and databases
    """

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def announce(self, database: str, sql: str) -> None:
        """Do nothing: no command on a host is needed."""

    def query(self, database: str, sql: str, host: Host | None = None) -> Any | None:
        """See ``Database.query``."""
        import psycopg2

        try:
            connection = self._connect(database)
        except _NoSuchDatabaseError:
            return None
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(f"{_PATIENCE}{sql}")
                row = cursor.fetchone()
        except psycopg2.Error as error:
            raise OperationError(
                f"the database refused a query: {locks.explained(str(error).strip())}"
            ) from None
        finally:
            connection.close()
        value = row[0] if row else None
        return json.loads(value) if isinstance(value, str) else value

    def script(self, database: str, sql: str, title: str, *, transaction: bool = True) -> PyinfraCommand:
        """See ``Database.script``."""
        # the SQL is not an argument of the command, as pyinfra may print those
        return local_command(lambda: self._run(database, sql, transaction))

    def changing(self, database: str, sql: str) -> str:
        """See ``Database.changing``."""
        raise NotImplementedError("mail_db_dsn: this machine connects to the server")

    def change(self, database: str, sql: str) -> None:
        """Run ``sql`` at once, as one transaction."""
        self._run(database, sql, transaction=True)

    def _run(self, database: str, sql: str, transaction: bool) -> None:
        import psycopg2

        connection = self._connect(database)
        connection.autocommit = not transaction
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
            connection.commit()
        except psycopg2.Error as error:  # without its DETAIL, which shows rows
            message = error.diag.message_primary or type(error).__name__
            code = error.pgcode if transaction else None
            refused = RefusedError if code and not code.startswith(_STOPPING) else OperationError
            raise refused(f"the database refused a change: {message}") from None
        finally:
            connection.close()

    def _connect(self, database: str) -> connection:
        """Connect. Raises ``OperationError``, ``_NoSuchDatabaseError`` if the server has no such database."""
        import psycopg2

        if self.dsn in _silent:
            raise OperationError(_silent[self.dsn])
        start = time.monotonic()
        try:
            return psycopg2.connect(self.dsn, dbname=database, connect_timeout=CONNECT)
        except psycopg2.OperationalError as error:
            message = f"mail_db_dsn: cannot connect: {str(error).strip()}"
            if f'database "{database}" does not exist' in message:
                raise _NoSuchDatabaseError(message) from None
            if time.monotonic() - start > CONNECT - 1:
                _silent[self.dsn] = message
            raise OperationError(message) from None

    def is_known(self, database: str, sql: str) -> bool:
        """Return true: a server that can't be reached is an error."""
        return True

    def can_login(self, database: str, role: str, password: str) -> bool | None:
        """Return whether ``role`` can log in with ``password``, as only a superuser can read verifiers."""
        import psycopg2

        try:
            psycopg2.connect(
                self.dsn, dbname=database, user=role, password=password, connect_timeout=CONNECT
            ).close()
        except psycopg2.OperationalError as error:
            # another error, as from pg_hba.conf, says nothing of the password, and a new one would not help
            return "password authentication failed" not in str(error)
        return True


Server = HostDatabase | DsnDatabase
