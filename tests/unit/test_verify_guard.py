"""Accounts in a database of somebody else (`mail_db_dsn`) go with the run, even if it is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from pyinfra.api.exceptions import OperationError

from mailstack.engines.postgresql.database import DsnDatabase, RefusedError
from mailstack.verify.guard import LIMITS, guarded
from tests.targets.shell import ROOT

#: Stands for the library in each process: writes down what it is to run, or refuses it.
LIBRARY = """
import os
class Error(Exception):
    class diag: message_primary = "no right"
    pgcode = "42501"
class OperationalError(Error): pass
class Connection:
    def cursor(self): return self
    def __enter__(self): return self
    def __exit__(self, *error): pass
    def execute(self, sql):
        if "refused" in sql: raise Error()
        with open(os.environ["RAN"], "a") as file: file.write(sql + "\\n")
    def commit(self): pass
    def close(self): pass
def connect(dsn, dbname, connect_timeout): return Connection()
"""
RUN = """
import os, signal, sys
from mailstack.engines.postgresql.database import DsnDatabase, RefusedError
from mailstack.verify.guard import guarded
with guarded(DsnDatabase("host=db"), "mail", "create", "remove"):
    print("created", flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file with what was run."""
    (tmp_path / "psycopg2.py").write_text(LIBRARY)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}{os.pathsep}{ROOT}")
    monkeypatch.setenv("RAN", str(tmp_path / "ran"))
    # this process has the library itself
    monkeypatch.setattr(DsnDatabase, "change", lambda database, name, sql: _write(tmp_path / "ran", sql))
    return tmp_path / "ran"


def _write(file: Path, sql: str) -> None:
    with file.open("a") as opened:
        opened.write(f"{sql}\n")


def test_they_go_at_the_end_of_the_block(ran: Path) -> None:
    with guarded(DsnDatabase("host=db"), "mail", "create", "remove"):
        assert ran.read_text() == f"{LIMITS}create\n"
    assert ran.read_text() == f"{LIMITS}create\n{LIMITS}remove\n"
    with pytest.raises(KeyError), guarded(DsnDatabase("host=db"), "mail", "create", "remove"):
        raise KeyError
    assert ran.read_text() == f"{LIMITS}create\n{LIMITS}remove\n" * 2


def test_a_removal_that_fails_is_an_error(ran: Path) -> None:
    with (
        pytest.raises(OperationError, match="could not be removed: the database refused a change: no right"),
        guarded(DsnDatabase("host=db"), "mail", "create", "refused"),
    ):
        pass


def test_what_was_refused_is_not_removed(ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(database: DsnDatabase, name: str, sql: str) -> None:
        raise RefusedError("locked")

    monkeypatch.setattr(DsnDatabase, "change", refuse)
    with pytest.raises(RefusedError), guarded(DsnDatabase("host=db"), "mail", "create", "remove"):
        pass
    assert not ran.exists()


def test_what_may_have_been_created_is_removed(ran: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(database: DsnDatabase, name: str, sql: str) -> None:
        raise OperationError("the connection was lost")

    monkeypatch.setattr(DsnDatabase, "change", lose)
    with pytest.raises(OperationError), guarded(DsnDatabase("host=db"), "mail", "create", "remove"):
        pass
    assert ran.read_text() == f"{LIMITS}remove\n"


def test_a_killed_run_leaves_nothing(ran: Path) -> None:
    done = subprocess.run([sys.executable, "-c", RUN], stdout=subprocess.PIPE, timeout=60)
    assert (done.returncode, done.stdout) == (-signal.SIGKILL, b"created\n")
    deadline = time.monotonic() + 60
    while ran.read_text() != f"{LIMITS}create\n{LIMITS}remove\n":
        assert time.monotonic() < deadline, ran.read_text()
        time.sleep(0.05)
