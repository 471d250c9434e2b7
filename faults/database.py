"""The database does not answer as it should."""

from __future__ import annotations

from pathlib import Path

from faults.row import Case, Row

PART = "The database is in trouble"
_SLOW = Path(__file__).with_name("slow_socket.py").read_text()
_PROGRAM = "/usr/local/lib/slow_socket.py"
_PSQL = "cd /; runuser -u postgres -- psql -XAtq -v ON_ERROR_STOP=1 mail"
#: Ends the connections of Postfix and Dovecot: they connect again.
_END = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'maillookup'"


def slow(case: Case) -> None:
    """Put a program in front of the database that passes each question on 200 ms late."""
    case.host.write(_PROGRAM, _SLOW.encode())
    # as the owner of that directory, whom PostgreSQL also knows its administrator by
    case.host.exec(
        f"set -e; systemd-run -q --unit slow-database -p User=postgres python3 {_PROGRAM} 0.2; "
        "until ls /run/postgresql/.s.PGSQL.*.behind >/dev/null 2>&1; do sleep 0.1; done; "
        f'{_PSQL} -c "{_END}" >/dev/null'
    )


ROWS = (
    Row(
        "database-slow",
        "Each answer of PostgreSQL comes 200 ms late, for 20 s",
        do=slow,
        seconds=20,
        undo="systemctl stop slow-database",
    ),
    Row(
        "database-full",
        "PostgreSQL has no connection left for Postfix and Dovecot, for 15 s",
        do=f"{_PSQL} -c 'ALTER ROLE maillookup CONNECTION LIMIT 0' -c \"{_END}\" >/dev/null",
        seconds=15,
        undo=f"{_PSQL} -c 'ALTER ROLE maillookup CONNECTION LIMIT -1'",
        stops="database",
    ),
    Row(
        "database-read-only",
        "The database is read-only for 15 s",
        do=f"{_PSQL} -c 'ALTER SYSTEM SET default_transaction_read_only = on' -c 'SELECT pg_reload_conf()'",
        seconds=15,
        undo=f"{_PSQL} -c 'SET default_transaction_read_only = off' "
        "-c 'ALTER SYSTEM RESET default_transaction_read_only' -c 'SELECT pg_reload_conf()'",
    ),
    Row(
        "database-locked",
        "Another program locks the table of users for 15 s",
        do=f"{_PSQL} -c 'BEGIN; LOCK TABLE mail_users; SELECT pg_sleep(15); COMMIT'",
    ),
)
