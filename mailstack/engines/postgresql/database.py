"""How to reach the mail database as one who may change it: two ways to be a ``Database``.

Two ways, one contract: through ``psql`` as the superuser on the host that runs PostgreSQL, or, where no
pyinfra host owns the server (``mail_db_dsn``), through ``psycopg2`` from the control machine.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from pyinfra.api.command import FunctionCommand, PyinfraCommand, StringCommand
from pyinfra.api.exceptions import OperationError

from mailstack.facts.reading import Probe, announce, read


class HostDatabase:
    """The server that runs on the current host; ``psql`` connects through the socket as ``postgres``.

    + port: which names the socket
    """

    def __init__(self, port: int = 5432) -> None:
        # the program itself: Debian's psql is a Perl script around it that takes longer than a query
        psql = '"$(ls -v /usr/lib/postgresql/*/bin/psql | tail -n 1)"'
        # terse: a DETAIL would show the row that breaks a rule, password hash and all
        self._psql = f"runuser -u postgres -- {psql} -XqAt -p {port} -v ON_ERROR_STOP=1 -v VERBOSITY=terse"

    def announce(self, database: str, sql: str) -> None:
        """See ``Database.announce``."""
        announce(self._probe(database, sql))

    def query(self, database: str, sql: str) -> Any | None:
        """See ``Database.query``."""
        return read(self._probe(database, sql))

    def script(self, database: str, sql: str, title: str, *, transaction: bool = True) -> PyinfraCommand:
        """See ``Database.script``; the SQL goes through standard input, out of sight of ``ps``."""
        one = " -1" if transaction else ""
        psql = f"{self._psql}{one} -d {shlex.quote(database)} -f - >/dev/null"
        return StringCommand(f": {shlex.quote(title)}; cd / && {psql}", _stdin=sql)

    def can_login(self, database: str, role: str, password: str) -> bool | None:
        """Whether ``role`` may log in with ``password``: the superuser reads the verifier instead."""
        return None

    def _probe(self, database: str, sql: str) -> Probe[Any | None]:
        # psql exits with 2 if there is no connection, which includes a database that does not exist
        return Probe(
            name=f"database {database}",
            command=(
                f"cd /; if command -v psql >/dev/null; then "
                f"out=$({self._psql} -d {shlex.quote(database)} -c {shlex.quote(sql)} 2>&1); "
                'case $? in 0) printf %s "$out";; 2) ;; *) printf "ERROR %s" "$out";; esac; fi'
            ),
            parse=_parse_json,
        )


def _parse_json(output: str) -> Any | None:
    if output.startswith("ERROR "):
        raise OperationError(f"the database refused a query: {output.removeprefix('ERROR ').strip()}")
    return json.loads(output) if output.strip() else None


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
            connection = psycopg2.connect(self.dsn, dbname=database, connect_timeout=10)
        except psycopg2.OperationalError as error:
            if f'database "{database}" does not exist' in str(error):
                return None
            raise OperationError(f"mail_db_dsn: cannot connect: {str(error).strip()}") from None
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

        def run_script() -> None:  # the SQL is no argument of the command: pyinfra can print those
            self._run(database, sql, transaction)

        return FunctionCommand(run_script, (), {})

    def _run(self, database: str, sql: str, transaction: bool) -> None:
        import psycopg2

        connection = psycopg2.connect(self.dsn, dbname=database, connect_timeout=10)
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
