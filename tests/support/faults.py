"""The faults of the fault tests: killed processes, and stopped services."""

from __future__ import annotations

import re
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


def unit(host: Target, service: str) -> str:
    """Return the unit with the processes of a service: `postfix`, `database`, or that of its own name."""
    return {"postfix": postfix, "database": cluster}.get(service, lambda _: service)(host)


def cluster(host: Target) -> str:
    """Return the unit whose processes are PostgreSQL."""
    return {12: "postgresql@15-main", 13: "postgresql@17-main"}[host.debian]


def processes(host: Target, unit: str) -> dict[str, list[int]]:
    """Return the processes of a unit by kind, in the order of their start: the master is the first kind."""
    script = (
        'pids=$(grep -lE "/$1[.]service$" /proc/[0-9]*/cgroup 2>/dev/null | cut -d/ -f3 | sort -n); '
        "for process in $pids; do "
        'title=$(tr "\\0" " " 2>/dev/null < /proc/$process/cmdline); '
        'echo "$process $(cat /proc/$process/comm 2>/dev/null) ${title:-}"; done'
    )
    found: dict[str, list[int]] = {}
    for line in host.exec(["sh", "-c", script, "sh", unit]).stdout.splitlines():
        process, _, rest = line.partition(" ")
        name, _, title = rest.partition(" ")
        if name:  # or it has ended
            found.setdefault(_kind(name, title), []).append(int(process))
    return found


def _kind(name: str, title: str) -> str:
    """Return the kind of a process: PostgreSQL, nginx and rspamd say it in their title."""
    said = re.match(r"(?:postgres: \S+:|nginx:|rspamd:) ([a-z_]+(?: [a-z]+)?)", title)
    return f"{name} ({said[1]})" if said else name


def database(host: Target, verb: str) -> float:
    """Start, stop or restart the database itself, not Debian's wrapper; return the moment when it is done."""
    host.exec(["systemctl", verb, "mariadb" if sample_accounts.ENGINE == "mysql" else cluster(host)])
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
