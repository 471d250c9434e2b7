"""The faults of the fault tests: killed processes, and stopped services."""

from __future__ import annotations

import time

from tests.support import sample_accounts
from tests.targets.containers import Target

#: The masters to kill; the last is the database's.
ALL = ("postfix", "dovecot", "database")
_MASTERS = {
    "postfix": "$(cat /var/spool/postfix/pid/master.pid)",
    "dovecot": "$(cat /run/dovecot/master.pid)",
    "postgresql": "$(head -n 1 /var/lib/postgresql/*/main/postmaster.pid)",
    "mysql": "$(pidof mariadbd)",
}


def master(daemon: str) -> str:
    """Return the shell words for the process id of a master."""
    return _MASTERS[sample_accounts.ENGINE if daemon == "database" else daemon]


def postfix(host: Target) -> str:
    """Return the unit whose processes are Postfix."""
    return "postfix@-" if host.debian == 12 else "postfix"


def database(host: Target, verb: str) -> float:
    """Start, stop or restart the database itself, not Debian's wrapper; return the moment when it is done."""
    cluster = {12: "postgresql@15-main", 13: "postgresql@17-main"}[host.debian]
    host.exec(["systemctl", verb, "mariadb" if sample_accounts.ENGINE == "mysql" else cluster])
    return time.monotonic()


def database_away(host: Target, seconds: float) -> tuple[float, float]:
    """Stop the database for some seconds, or restart it for none; return when it stopped and started."""
    if not seconds:
        back = database(host, "restart")
        return back, back
    went = database(host, "stop")
    time.sleep(seconds)
    return went, database(host, "start")


def dovecot_away(host: Target, seconds: float) -> float:
    """Stop Dovecot for some seconds; return the time when it was back."""
    host.exec("systemctl stop dovecot.socket dovecot.service 2>&1")
    time.sleep(seconds)
    host.exec("systemctl start dovecot")
    return time.monotonic()
