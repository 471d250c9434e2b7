"""The state that is not mail: the database, the queue, what the filter has learned, names of system users."""

from __future__ import annotations

import grp
import os
import pwd
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from .folders import copy
from .restic import FailureError

DUMP = "database.sql"
_WITHIN = 6 * 3600
_QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")
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


class Database:
    """The mail database on this host.

    + configuration: ``engine``, ``name``, ``port``
    """

    def __init__(self, configuration: Mapping[str, Any]) -> None:
        self.engine, self.name = configuration["engine"], configuration["name"]
        self.port = str(configuration["port"])

    @property
    def at_once(self) -> bool:
        """Whether a load that fails has changed nothing."""
        return bool(self.engine != "mysql")

    def users(self) -> set[str]:
        """Return the addresses of all users; none if there are no tables yet. Raises ``FailureError``."""
        query = "SELECT email FROM mail_users"
        if self.engine == "mysql":
            command = ["mariadb", "-NB", "-e", query, self.name]
        else:
            command = [*_as_postgres("psql"), "-XqAtw", "-p", self.port, "-d", self.name, "-c", query]
        done = subprocess.run(command, cwd="/", capture_output=True, text=True, timeout=600)
        if done.returncode and not re.search("does not exist|doesn't exist", done.stderr):
            raise FailureError(f"the database can't be read: {done.stderr.strip()[:300]}")
        return {line for line in done.stdout.split("\n") if line}

    def dump(self, directory: Path) -> None:
        """Write the whole database as SQL, as it is at one moment. Raises ``FailureError``."""
        if self.engine == "mysql":
            options = ("--single-transaction", "--routines", "--triggers", "--events", "--skip-dump-date")
            command = ["mariadb-dump", *options, self.name]
        else:
            command = [*_as_postgres("pg_dump"), "-w", "-p", self.port, "-d", self.name]
        with (directory / DUMP).open("wb") as file:
            _run(command, "the database can't be read", output=file)

    def load(self, directory: Path) -> None:
        """Replace the whole database by that of a file, in one transaction. Raises ``FailureError``."""
        if self.engine == "mysql":
            # as a deploy makes it; which rights are gone with it, the deploy after this sees
            kind = "CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin"
            again = f"DROP DATABASE `{self.name}`; CREATE DATABASE `{self.name}` {kind};"
            _run(["mariadb", "-e", again], "the database can't be emptied")
            command, before = ["mariadb", self.name], b""
        else:
            command = [*_as_postgres("psql"), "-XqAtw", "-p", self.port, "-d", self.name]
            command += ["-v", "ON_ERROR_STOP=1", "-v", "VERBOSITY=terse", "-1", "-o", "/dev/null", "-f", "-"]
            # those of programs that are not on this host own tables, or read them
            before = "".join([*map(_role, sorted(roles(directory / DUMP))), _EMPTY]).encode()
        with (directory / DUMP).open("rb") as file:
            _run(command, "the database can't be written", before=before, given=file)


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
        # the first line: a later one may show a row
        told = errors.decode(errors="replace").strip().partition("\n")[0]
        raise FailureError(f"{what}: {told[:300] or 'it failed without a word'}")


def keep_queue(queue: Path, directory: Path) -> int:
    """Copy the whole messages of Postfix's queue, and return their number.

    They move from one part to the other meanwhile, so the parts are read until no other one is found.
    """
    found: set[str] = set()
    for _ in range(10):
        before = len(found)
        for name in _QUEUES:
            (directory / name).mkdir(parents=True, exist_ok=True)
            for path in sorted((queue / name).rglob("*")):
                if path.name in found:
                    continue
                try:
                    state = path.lstat()
                    # qmgr(8): a message is whole once its file is executable
                    if path.is_file() and not path.is_symlink() and state.st_mode & 0o100:
                        copy(path, directory / name / path.name)
                        found.add(path.name)
                except FileNotFoundError:
                    continue
        if len(found) == before:
            break
    return len(found)


def put_queue(queue: Path, directory: Path) -> int:
    """Put messages into the queue, and return their number.

    On hold, as the backup can't know which of them were delivered since. Names belong to inodes, so
    postsuper(1) gives them others.
    """
    owner = pwd.getpwnam("postfix")
    count = 0
    for name in _QUEUES:
        target = queue / ("maildrop" if name == "maildrop" else "hold")
        for path in sorted((directory / name).glob("*")):
            there = target / path.name
            copy(path, there)
            os.chown(there, owner.pw_uid, owner.pw_gid)
            there.chmod(0o700)
            count += 1
    done = subprocess.run(["postsuper", "-s"], capture_output=True, text=True, timeout=600)
    if done.returncode:
        raise FailureError(f"postsuper -s: {done.stderr.strip()[:300]}")
    return count


def owners() -> dict[str, dict[str, str]]:
    """Return the names of system users and groups by their numbers, which differ on another host."""
    return {
        "users": {str(each.pw_uid): each.pw_name for each in pwd.getpwall()},
        "groups": {str(each.gr_gid): each.gr_name for each in grp.getgrall()},
    }


def put(source: Path, target: Path, known: Mapping[str, Mapping[str, str]]) -> None:
    """Replace a file or a whole directory, with the owners of the same names.

    + known: those of the host of the backup, see ``owners``
    """
    if source.is_dir() and not source.is_symlink():
        target.mkdir(parents=True, exist_ok=True)
        for each in sorted(source.iterdir()):
            put(each, target / each.name, known)
        target.chmod(source.stat().st_mode & 0o7777)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        copy(source, target)
    state = source.lstat()
    os.chown(target, _user(state.st_uid, known), _group(state.st_gid, known), follow_symlinks=False)


def _user(number: int, known: Mapping[str, Mapping[str, str]]) -> int:
    try:
        return pwd.getpwnam(known["users"][str(number)]).pw_uid
    except KeyError:
        return 0


def _group(number: int, known: Mapping[str, Mapping[str, str]]) -> int:
    try:
        return grp.getgrnam(known["groups"][str(number)]).gr_gid
    except KeyError:
        return 0
