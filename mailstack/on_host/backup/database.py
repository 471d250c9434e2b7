"""The mail database of this host: PostgreSQL or MariaDB."""

from __future__ import annotations

import os
import re
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from .restic import FailureError

DUMP = "database.sql"
BESIDE = Path("/var/lib/mailstack/backup/beside")
"""A mark that the databases beside that of MariaDB are a restore's, and not the administrator's."""
_WITHIN = 6 * 3600
_NAMES_ROLE = re.compile(
    r"(?:ALTER [A-Z].* (?:OWNER|TABLES|SEQUENCES|FUNCTIONS|TYPES|SCHEMAS) TO|GRANT .* TO|REVOKE .* FROM)"
    r' (?:(?P<plain>[^" ;]+)|"(?P<quoted>(?:[^"]|"")+)")(?: WITH GRANT OPTION)?;$'
)
_EMPTY = """
SET client_min_messages = warning;
SET lock_timeout = '60s';
DO $do$
DECLARE name text;
BEGIN
    FOR name IN SELECT nspname FROM pg_namespace
        WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'
    LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', name);
    END LOOP;
END $do$;
CREATE SCHEMA public AUTHORIZATION pg_database_owner;
"""


class Account(NamedTuple):
    """Where the mail of a user is, who may be disabled.

    + driver: the mail driver, such as ``sdbox``
    """

    home: str
    driver: str


class Database(ABC):
    """The mail database on this host.

    + configuration: ``engine``, ``name``, ``port``
    """

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        self.name, self.port = configuration["name"], str(configuration["port"])

    def users(self) -> set[str]:
        """Return the addresses of all users; none if there are no tables yet. Raises ``FailureError``."""
        return {email for (email,) in self._rows("SELECT email FROM mail_users")}

    def accounts(self, root: str) -> dict[str, Account]:
        """Return all users, also disabled ones. Raises ``FailureError``.

        + root: the directory of all mail
        """
        columns = "email, COALESCE(home_directory, ''), COALESCE(mail_directory, ''), mail_driver"
        rows = self._rows(f"SELECT {columns} FROM mail_users")
        return {email: Account(home or f"{root}/{below}", driver) for email, home, below, driver in rows}

    @abstractmethod
    def dump(self, directory: Path) -> None:
        """Write the whole database as SQL, as it is at one moment. Raises ``FailureError``."""

    @abstractmethod
    def load(self, directory: Path, begin: Callable[[], None]) -> None:
        """Replace the whole database by that of a file. Raises ``FailureError``.

        + begin: is called before anything is changed that an error would leave half done
        """

    @abstractmethod
    def tidy(self) -> None:
        """Drop what a restore that was killed has left beside the database. Raises ``FailureError``."""

    @abstractmethod
    def _client(self, query: str) -> list[str]:
        """Return the command that prints the rows of a query, with tabs between the columns."""

    def _rows(self, query: str) -> list[list[str]]:
        done = subprocess.run(self._client(query), cwd="/", capture_output=True, text=True, timeout=600)
        if done.returncode and not re.search("does not exist|doesn't exist", done.stderr):
            raise FailureError(f"the database can't be read: {done.stderr.strip()[:300]}")
        return [line.split("\t") for line in done.stdout.split("\n") if line]


class PostgreSQL(Database):
    """That of PostgreSQL."""

    def dump(self, directory: Path) -> None:
        """See ``Database``."""
        command = [*_as_postgres("pg_dump"), "-w", "-p", self.port, "-d", self.name]
        with (directory / DUMP).open("wb") as file:
            _run(command, "the database can't be read", output=file)

    def load(self, directory: Path, begin: Callable[[], None]) -> None:
        """See ``Database``: it is one transaction."""
        command = [*_as_postgres("psql"), "-XqAtw", "-p", self.port, "-d", self.name]
        command += ["-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-1", "-o", "/dev/null", "-f", "-"]
        # those of programs that are not on this host own tables, or read them
        before = "".join([*map(_role, sorted(roles(directory / DUMP))), _EMPTY]).encode()
        with (directory / DUMP).open("rb") as file:
            _run(command, "the database can't be written", before=before, given=file)

    def tidy(self) -> None:
        """See ``Database``: a transaction leaves nothing."""

    def _client(self, query: str) -> list[str]:
        command = [*_as_postgres("psql"), "-XqAtw", "-F", "\t", "-p", self.port, "-d", self.name]
        return [*command, "-c", query]


class MariaDB(Database):
    """That of MariaDB, which has no transaction for tables.

    A dump is loaded into a database beside it, which shows that it is whole. Then one statement exchanges the
    tables.
    """

    def dump(self, directory: Path) -> None:
        """See ``Database``."""
        with (directory / DUMP).open("wb") as file:
            _run(_dump(self.name), "the database can't be read", output=file)

    def load(self, directory: Path, begin: Callable[[], None]) -> None:
        """See ``Database``: what is left half done, the next call replaces."""
        beside, former = self._beside()
        programs = directory / "programs.sql"
        self.tidy()
        self._mark()
        try:
            self._say(f"{_made(beside)}; {_made(former)}")
            with (directory / DUMP).open("rb") as file:
                _run(["mariadb", beside], "the database can't be written", given=file)
            self._dump_programs(beside, programs)
        except FailureError:
            self.tidy()
            raise
        begin()
        for name in (beside, self.name):
            self._say("".join(f"DROP {kind} `{name}`.`{each}`;" for kind, each in self._programs(name)))
        moves = [(self.name, former), (beside, self.name)]
        tables = [
            f"`{source}`.`{table}` TO `{target}`.`{table}`"
            for source, target in moves
            for table in self._tables(source)
        ]
        if tables:
            self._say(f"RENAME TABLE {', '.join(tables)}")
        with programs.open("rb") as file:
            _run(["mariadb", self.name], "the database can't be written", given=file)
        self.tidy()

    def tidy(self) -> None:
        """See ``Database``."""
        if BESIDE.exists():
            self._say("".join(f"DROP DATABASE IF EXISTS `{name}`;" for name in self._beside()))
            BESIDE.unlink()

    def _mark(self) -> None:
        """Leave the mark, on the disk. Raises ``FailureError`` if others have a database of these names."""
        names = "', '".join(self._beside())
        query = f"SELECT schema_name FROM information_schema.schemata WHERE schema_name IN ('{names}')"
        if taken := self._rows(query):
            raise FailureError(f"a restore needs the name of the database {taken[0][0]}: drop or rename it")
        BESIDE.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        BESIDE.touch()
        os.sync()

    def _beside(self) -> tuple[str, str]:
        """Return the names of the databases for the new tables and for the former ones."""
        return f"{self.name}_restored", f"{self.name}_replaced"

    def _dump_programs(self, name: str, path: Path) -> None:
        """Write all that RENAME TABLE can't move: triggers, functions, events and views."""
        with path.open("wb") as file:
            _run(_dump(name, "--no-data", "--no-create-info"), "the database can't be read", output=file)
            if views := [each for kind, each in self._programs(name) if kind == "VIEW"]:
                _run([*_dump(name, "--no-data"), *views], "the database can't be read", output=file)

    def _client(self, query: str) -> list[str]:
        return ["mariadb", "-NB", "-e", query, self.name]

    def _say(self, statements: str) -> None:
        _run(["mariadb"], "the database can't be written", before=statements.encode())

    def _programs(self, name: str) -> list[list[str]]:
        """Return the kind and the name of all in a database that is no table."""
        return self._rows(
            f"""SELECT 'TRIGGER', trigger_name FROM information_schema.triggers
                WHERE trigger_schema = '{name}'
            UNION SELECT routine_type, routine_name FROM information_schema.routines
                WHERE routine_schema = '{name}'
            UNION SELECT 'EVENT', event_name FROM information_schema.events WHERE event_schema = '{name}'
            UNION SELECT 'VIEW', table_name FROM information_schema.views WHERE table_schema = '{name}'"""
        )

    def _tables(self, name: str) -> list[str]:
        of = f"table_schema = '{name}' AND table_type = 'BASE TABLE'"
        rows = self._rows(f"SELECT table_name FROM information_schema.tables WHERE {of}")
        return [table for (table,) in rows]


def database(configuration: Mapping[str, Any]) -> Database:
    """Return the database of this configuration, see ``Database``."""
    return (MariaDB if configuration["engine"] == "mysql" else PostgreSQL)(configuration)


def _dump(name: str, *more: str) -> list[str]:
    options = ("--single-transaction", "--routines", "--triggers", "--events", "--skip-dump-date")
    return ["mariadb-dump", *options, *more, name]


def _made(name: str) -> str:
    """Return SQL that makes a database as a deploy does."""
    return f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"


def unnamed(users: set[str], dump: Path) -> set[str]:
    """Return the addresses that no row of a dump has."""
    left = set(users)
    with dump.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            left.difference_update(re.split(r"[\t\n'(),]", line))
            if not left:
                break
    return left


def roles(dump: Path) -> set[str]:
    """Return the roles that a dump of PostgreSQL names outside of rows and of the text of functions."""
    found, in_rows = set(), False
    with dump.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if in_rows:
                in_rows = line != "\\.\n"
            elif line.startswith("COPY ") and line.endswith("FROM stdin;\n"):
                in_rows = True
            elif named := _NAMES_ROLE.match(line):
                found.add(named["plain"] or named["quoted"].replace('""', '"'))
    return found - {"PUBLIC", "pg_database_owner"}


def _role(name: str) -> str:
    """Return SQL that makes a role which nobody can log in as, if it is missing."""
    literal, quoted = name.replace("'", "''"), name.replace('"', '""')
    missing = f"NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{literal}')"
    return f'DO $do$ BEGIN IF {missing} THEN CREATE ROLE "{quoted}" NOLOGIN; END IF; END $do$;\n'


def _as_postgres(program: str) -> list[str]:
    """Return the command that runs the newest version of a program of PostgreSQL as its superuser."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{program}"), key=lambda each: int(each.parts[-3]))
    if not found:
        raise FailureError(f"there is no {program}")
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--", str(found[-1])]


def _run(
    command: Sequence[str],
    what: str,
    *,
    output: Any = subprocess.DEVNULL,
    before: bytes = b"",
    given: Any = None,
) -> None:
    process = subprocess.Popen(command, cwd="/", stdin=subprocess.PIPE, stdout=output, stderr=subprocess.PIPE)
    try:
        assert process.stdin is not None
        try:
            process.stdin.write(before)
            while given is not None and (block := given.read(1 << 20)):
                process.stdin.write(block)
            process.stdin.close()
        except BrokenPipeError:
            pass
        process.stdin = None
        _, errors = process.communicate(timeout=_WITHIN)
    except subprocess.TimeoutExpired:
        raise FailureError(f"{what}: no end within {_WITHIN // 3600} h") from None
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    if process.returncode:
        # one line: others may show a row; that of mariadb(1) comes after the statement
        lines = errors.decode(errors="replace").strip().split("\n")
        told = next((line for line in lines if line.startswith("ERROR ")), lines[0])
        raise FailureError(f"{what}: {told[:300] or 'it failed without a word'}")
