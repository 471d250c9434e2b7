"""Access to the mail database as an administrator: ``mariadb`` on its host, as root by the socket."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import OperationError

from mailstack.engines import locks
from mailstack.engines.mariadb.quoting import SESSION, UNLOGGED
from mailstack.facts.fact import Question
from mailstack.facts.reading import announce, read
from mailstack.settings.engines import ENGINES
from mailstack.shell import script, shell, with_input
from mailstack.text import lines_of

if TYPE_CHECKING:
    from pyinfra.api.host import Host

A = TypeVar("A")

_NO_DATABASE = "no database"
_PATIENCE = (
    f"SET SESSION lock_wait_timeout = {locks.SECONDS}, SESSION innodb_lock_wait_timeout = {locks.SECONDS};"
)
_SOCKET = ENGINES["mysql"].socket

# binary-mode: the client reads no commands of its own in the text, except DELIMITER
_CLIENT = (
    f"mariadb --no-defaults --protocol=socket --socket={_SOCKET} --user=root --default-character-set=utf8mb4"
    " --batch --raw --skip-column-names --binary-mode --loose-skip-print-query-on-error --connect-timeout=10"
)


class HostDatabase:
    """The server that runs on the current host."""

    def announce(self, database: str, sql: str) -> None:
        """See ``Database.announce``."""
        announce(_Answer.of(database, sql))

    def query(self, database: str, sql: str, host: Host | None = None) -> Any | None:
        """See ``Database.query``."""
        return read(_Answer.of(database, sql), host)

    def is_known(self, database: str, sql: str) -> bool:
        """See ``Database.is_known``."""
        return read(_IsKnown.of(database, sql))

    def script(self, database: str, sql: str, title: str, *, transaction: bool = True) -> PyinfraCommand:
        """See ``Database.script``. The SQL goes through standard input, so that ``ps`` does not show it.

        The client exits at the first error, and the server then rolls back the open transaction.
        """
        begin, end = ("START TRANSACTION;", "COMMIT;") if transaction else ("", "")
        client = f"{_CLIENT} {shlex.quote(database)} >/dev/null"
        text = "\n".join([SESSION, UNLOGGED, begin, sql, end, ""])
        return shell(f": {shlex.quote(title)}; {client}", text)

    def changing(self, database: str, sql: str) -> str:
        """See ``Database.changing``."""
        text = "\n".join([SESSION, UNLOGGED, _PATIENCE, "START TRANSACTION;", sql, "COMMIT;", ""])
        return with_input(f"{_CLIENT} {shlex.quote(database)} >/dev/null", text)


class _Query(NamedTuple):
    """SQL that returns JSON, with its database."""

    database: str
    sql: str

    @property
    def label(self) -> str:
        """The mark that tells its answer from others."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


class _Asked(Question[A]):
    """A query; all queries share a session."""

    def command(self, database: str, sql: str) -> str:
        """Ask the server of the host."""
        return self.asking([_Query(database, sql)])

    @staticmethod
    def ask(about: Sequence[_Query]) -> str:
        """See ``Question.ask``."""
        asked = (text for query in about for text in (query.label, query.database, query.sql))
        return script("ask_mariadb", _CLIENT, _NO_DATABASE, str(locks.SECONDS), *asked)

    def _said(self, output: str) -> str:
        """Return the answer, empty if the server is stopped or not installed."""
        (query,) = self.about
        return output.partition(f"\f{query.label}\n")[2].partition("\f")[0].strip()


class _IsKnown(_Asked[bool]):
    """Return whether there is an answer, or no client, so no server."""

    def parse(self, output: str) -> bool:
        """See ``Question.parse``."""
        return not output or self._said(output) != ""


class _Answer(_Asked["Any | None"]):
    """Return the result of a query, or ``None`` if no server or database answered."""

    def parse(self, output: str) -> Any | None:
        """See ``Question.parse``."""
        answer = self._said(output)
        return None if answer == _NO_DATABASE else _parse_json(answer)


def _parse_json(output: str) -> Any | None:
    """Return one JSON value. Several objects, a line each, are merged, as MariaDB limits their length."""
    if output.startswith("ERROR "):
        message = locks.explained(output.removeprefix("ERROR ").strip())
        raise OperationError(f"the database refused a query: {message}")
    values = [json.loads(line) for line in lines_of(output) if line.strip()]
    if len(values) < 2:
        return values[0] if values else None
    joined: dict[str, list[Any]] = {}
    for value in values:
        for name, rows in value.items():
            joined.setdefault(name, []).extend(rows)
    return joined
