"""Remove the accounts of a run from a server of ``mail_db_dsn`` once the run has ended, however it ends.

It is a process of its own, on the machine that runs pyinfra. Its input is a line of JSON, and ends with the
run: a killed process closes its files, too.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from pyinfra.api.exceptions import OperationError

from mailstack.engines.locks import SECONDS
from mailstack.engines.postgresql.database import DsnDatabase, RefusedError

LIMITS = f"SET LOCAL lock_timeout = '{SECONDS}s'; SET LOCAL statement_timeout = '180s'; "
"""A table that somebody has locked would hold the command for ever."""


@contextmanager
def guarded(database: DsnDatabase, name: str, creating: str, away: str) -> Iterator[None]:
    """Create accounts in the database of that name, and remove them after the block."""
    command = [sys.executable, "-m", __name__]
    # a session of its own, as Ctrl-C at a terminal is for all processes of this one
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as guard:
        assert guard.stdin is not None and guard.stderr is not None
        guard.stdin.write(json.dumps([database.dsn, name, f"{LIMITS}{away}"]) + "\n")
        guard.stdin.flush()
        try:
            _create(database, name, creating, guard)
            yield
        finally:
            guard.stdin.close()
            said = guard.stderr.read().strip()
    if guard.returncode:
        raise OperationError(f"the accounts of the checks could not be removed: {said or 'without a word'}")


def _create(database: DsnDatabase, name: str, creating: str, guard: subprocess.Popen[str]) -> None:
    try:
        database.change(name, f"{LIMITS}{creating}")
    except RefusedError:  # there is nothing to remove, and a locked table would be waited for again
        guard.kill()
        raise


def main() -> int:
    """Wait for the end of the run."""
    dsn, name, away = json.loads(sys.stdin.readline())
    sys.stdin.read()
    try:
        DsnDatabase(dsn).change(name, away)
    except OperationError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
