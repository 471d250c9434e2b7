"""How to reach the mail database as one who may change it: two ways to be a ``Database``.

Two ways, one contract: through ``psql`` as the superuser on the host that runs PostgreSQL, or, where no
pyinfra host owns the server (``mail_db_dsn``), through ``psycopg2`` from the control machine.
"""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import OperationError

from mailstack.facts.fact import Question
from mailstack.facts.reading import announce, read
from mailstack.operation import local_command
from mailstack.shell import script, shell

if TYPE_CHECKING:
    from psycopg2.extensions import connection

A = TypeVar("A")

SERVER = "postgres"
"""The database that every server has: to make ours from. Who gets into it the lines of others say."""
_STOPPING = ("08", "57P")
"""SQLSTATE of a server that goes away (PostgreSQL's manual, appendix A)."""


class _Query(NamedTuple):
    """SQL that returns one JSON value, and the port and the database where it is asked."""

    port: int
    database: str
    sql: str

    @property
    def label(self) -> str:
        """Tells its answer from others."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


class HostDatabase:
    """The server that runs on the current host; ``psql`` connects through the socket as ``postgres``.

    + port: which names the socket
    """

    def __init__(self, port: int = 5432) -> None:
        self.port = port

    def announce(self, database: str, sql: str) -> None:
        """See ``Database.announce``."""
        announce(_Answer.of(self.port, database, sql))

    def query(self, database: str, sql: str) -> Any | None:
        """See ``Database.query``."""
        return read(_Answer.of(self.port, database, sql))

    def is_known(self, database: str, sql: str) -> bool:
        """See ``Database.is_known``."""
        return read(_IsKnown.of(self.port, database, sql))

    def script(self, database: str, sql: str, title: str, *, transaction: bool = True) -> PyinfraCommand:
        """See ``Database.script``; the SQL goes through standard input, out of sight of ``ps``."""
        options = ["-v", "ON_ERROR_STOP=1", *(["-1"] if transaction else [])]
        port = str(self.port)
        if database == SERVER:
            run = script("run_postgresql", port, *options)
        else:
            psql = shlex.join(["as_superuser", port, "-d", database, *options, "-f", "-"])
            run = f"cd / && {psql} >/dev/null"
        return shell("\n".join([f": {shlex.quote(title)}", script("psql"), run]), sql)

    def can_login(self, database: str, role: str, password: str) -> bool | None:
        """Whether ``role`` may log in with ``password``: the superuser reads the verifier instead."""
        return None


class _Asked(Question[A]):
    """Queries are asked in one session a database."""

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
        commands += [f"\\echo '\\f'{query.label}", query.sql, r"\echo '\f':SQLSTATE :LAST_ERROR_MESSAGE"]
    options = [text for command in commands for text in ("-c", command)]
    labels = " ".join(query.label for query in queries)
    return script("ask_postgresql", str(port), database, labels, *options)


class _IsKnown(_Asked[bool]):
    """Return whether there is an answer, or no ``psql`` and so no server: one may be there and not run."""

    def parse(self, output: str) -> bool:
        """See ``Question.parse``."""
        _, state = self._said(output)
        return not output or (state != "" and not state.startswith(_STOPPING))


class _Answer(_Asked["Any | None"]):
    """Return what a query returns; ``None`` if there was nobody to answer."""

    def parse(self, output: str) -> Any | None:
        """See ``Question.parse``."""
        answer, said = self._said(output)
        state, _, message = said.partition(" ")
        if not state or state.startswith(_STOPPING):
            return None
        if state != "00000":
            raise OperationError(f"the database refused a query: {message}")
        # a query has an answer, unless there is no such database
        return json.loads(answer) if answer.strip() else None


class _NoSuchDatabaseError(OperationError):
    """The server is there; the database may not have been made yet."""


class DsnDatabase:
    """A server that is reached by a connection string from the control machine.

    + dsn: a libpq URI or keyword string of a role that may create roles and databases
    """

    def __init__(self, dsn: str) -> None:
        self.dsn = dsn

    def announce(self, database: str, sql: str) -> None:
        """See ``Database.announce``: nothing to do, no host is asked."""

    def query(self, database: str, sql: str) -> Any | None:
        """See ``Database.query``."""
        import psycopg2

        try:
            connection = self._connect(database)
        except _NoSuchDatabaseError:
            return None
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(sql)
                row = cursor.fetchone()
        except psycopg2.Error as error:
            raise OperationError(f"the database refused a query: {str(error).strip()}") from None
        finally:
            connection.close()
        value = row[0] if row else None
        return json.loads(value) if isinstance(value, str) else value

    def script(self, database: str, sql: str, title: str, *, transaction: bool = True) -> PyinfraCommand:
        """See ``Database.script``."""
        # the SQL is no argument of the command: pyinfra can print those
        return local_command(lambda: self._run(database, sql, transaction))

    def _run(self, database: str, sql: str, transaction: bool) -> None:
        import psycopg2

        connection = self._connect(database)
        connection.autocommit = not transaction
        try:
            with connection.cursor() as cursor:
                cursor.execute(sql)
            connection.commit()
        except psycopg2.Error as error:  # without its DETAIL, which shows rows
            said = error.diag.message_primary or type(error).__name__
            raise OperationError(f"the database refused a change: {said}") from None
        finally:
            connection.close()

    def _connect(self, database: str) -> connection:
        """Raises ``OperationError``, which is ``_NoSuchDatabaseError`` if the server has no such database."""
        import psycopg2

        try:
            return psycopg2.connect(self.dsn, dbname=database, connect_timeout=10)
        except psycopg2.OperationalError as error:
            said = f"mail_db_dsn: cannot connect: {str(error).strip()}"
            if f'database "{database}" does not exist' in said:
                raise _NoSuchDatabaseError(said) from None
            raise OperationError(said) from None

    def is_known(self, database: str, sql: str) -> bool:
        """See ``Database.is_known``: a server that can't be reached is an error."""
        return True

    def can_login(self, database: str, role: str, password: str) -> bool | None:
        """Whether ``role`` may log in with ``password``; who is no superuser can't read verifiers."""
        import psycopg2

        try:
            psycopg2.connect(
                self.dsn, dbname=database, user=role, password=password, connect_timeout=10
            ).close()
        except psycopg2.OperationalError as error:
            # any other reason, pg_hba.conf say, tells nothing of the password: a change would not mend it
            return "password authentication failed" not in str(error)
        return True


Server = HostDatabase | DsnDatabase
