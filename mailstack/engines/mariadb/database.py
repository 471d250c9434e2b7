"""How to reach the mail database as one who may change it: ``mariadb`` on its host, as root by the socket."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from typing import Any, NamedTuple

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import OperationError

from mailstack.engines.mariadb.quoting import SESSION, UNLOGGED
from mailstack.facts.reading import Probe, announce, read
from mailstack.shell import script, shell

_NO_DATABASE = "no database"
SOCKET = "/run/mysqld/mysqld.sock"

# binary-mode: no commands of the client in the text, but DELIMITER
_CLIENT = (
    f"mariadb --no-defaults --protocol=socket --socket={SOCKET} --user=root --default-character-set=utf8mb4"
    " --batch --raw --skip-column-names --binary-mode --loose-skip-print-query-on-error"
)


class HostDatabase:
    """The server that runs on the current host."""

    def announce(self, database: str, sql: str) -> None:
        """See ``Database.announce``."""
        announce(_probe(database, sql))

    def query(self, database: str, sql: str) -> Any | None:
        """See ``Database.query``."""
        return read(_probe(database, sql))

    def is_known(self, database: str, sql: str) -> bool:
        """See ``Database.is_known``."""
        query = _Query(database, sql)
        return read(Probe(_ask, (query,), lambda output: not output or _said(query, output) != ""))

    def script(self, database: str, sql: str, title: str, *, transaction: bool = True) -> PyinfraCommand:
        """See ``Database.script``; the SQL goes through standard input, out of sight of ``ps``.

        The client ends at the first error, and the server then rolls back what was not committed.
        """
        begin, end = ("START TRANSACTION;", "COMMIT;") if transaction else ("", "")
        client = f"{_CLIENT} {shlex.quote(database)} >/dev/null"
        text = "\n".join([SESSION, UNLOGGED, begin, sql, end, ""])
        return shell(f": {shlex.quote(title)}; {client}", text)


class _Query(NamedTuple):
    """SQL that returns JSON, and the database where it is asked."""

    database: str
    sql: str

    @property
    def label(self) -> str:
        """Tells its answer from others."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def _probe(database: str, sql: str) -> Probe[Any | None]:
    query = _Query(database, sql)

    def parse(output: str) -> Any | None:
        said = _said(query, output)
        return None if said == _NO_DATABASE else _parse_json(said)

    return Probe(_ask, (query,), parse)


def _said(query: _Query, output: str) -> str:
    """Nothing if the server does not run, or is not installed."""
    return output.partition(f"\f{query.label}\n")[2].partition("\f")[0].strip()


def _ask(queries: Sequence[_Query]) -> str:
    asked = (text for query in queries for text in (query.label, query.database, query.sql))
    return script("ask_mariadb", _CLIENT, _NO_DATABASE, *asked)


def _parse_json(output: str) -> Any | None:
    """One JSON value; or several objects, a line each, whose lists belong together: MariaDB's are limited."""
    if output.startswith("ERROR "):
        raise OperationError(f"the database refused a query: {output.removeprefix('ERROR ').strip()}")
    values = [json.loads(line) for line in output.splitlines() if line.strip()]
    if len(values) < 2:
        return values[0] if values else None
    joined: dict[str, list[Any]] = {}
    for value in values:
        for name, rows in value.items():
            joined.setdefault(name, []).extend(rows)
    return joined
