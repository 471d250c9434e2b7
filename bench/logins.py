"""IMAP logins per second with passwords in the database, and with the same in a file."""

from __future__ import annotations

import imaplib
import ssl
import statistics
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import cycle, islice

from bench import servers
from bench.report import GOAL_COLUMNS, Table, goal
from tests.targets.containers import Target

PART = "The deployed server: logins"
RUNS = 5
LOGINS = 100
CLIENTS = 8

#: The same users in a file (passwd-file in Dovecot's manual), and nothing in the database.
_FILE = """
set -eu
runuser -u postgres -- psql -XAtq mail \\
  -c "SELECT format('%s:%s:5000:5000::/var/vmail/%s::', email, password, mail_directory)
      FROM mail_users" > /etc/dovecot/users
chgrp dovecot /etc/dovecot/users
chmod 0640 /etc/dovecot/users
case $(dovecot --version) in
  2.3*) printf '%s {\\n driver = passwd-file\\n args = /etc/dovecot/users\\n}\\n' passdb userdb ;;
  *) printf '%s passwd-file {\\n passwd_file_path = /etc/dovecot/users\\n}\\n' passdb userdb ;;
esac > /etc/dovecot/auth-sql.conf.ext
systemctl restart dovecot
"""


def measure() -> list[Table]:
    """Measure both Debian releases."""
    rows, goals = [], []
    for debian in (13, 12):
        speed = _measure(debian)
        rows.append([str(debian), *(f"{speed[name]:.1f}" for name in ("database", "file"))])
        share = speed["database"] / speed["file"]
        goals.append(
            goal(f"logins, of those by a file, Debian {debian}", "0.9", f"{share:.2f}", share >= 0.9)
        )
    return [
        Table(
            "IMAP logins a second",
            ("Debian", "by the database", "by a file, the limit"),
            rows,
            f"TLS, then LOGIN with ARGON2ID, INBOX selected; {CLIENTS} clients at once, medians of {RUNS} "
            f"rounds of {LOGINS} logins, in turns. Whatever the hash is stored in, it is the hash that takes "
            "the time: it is made to.",
        ),
        Table("Goals", GOAL_COLUMNS, goals),
    ]


def _measure(debian: int) -> dict[str, float]:
    with servers.ours(debian) as make:
        hosts = {"database": make("database"), "file": make("file")}
        hosts["file"].exec(_FILE)
        for host in hosts.values():
            logins(host)
        found: dict[str, list[float]] = defaultdict(list)
        for _ in range(RUNS):
            for name, host in hosts.items():
                servers.settle(host)
                found[name].append(logins(host))
        return {name: statistics.median(values) for name, values in found.items()}


def logins(host: Target) -> float:
    """Return logins per second, each over its own connection. Raises imaplib's error if one is refused."""
    address = host.ip
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE

    def login(user: str) -> None:
        with imaplib.IMAP4_SSL(address, 993, ssl_context=context, timeout=60) as session:
            session.login(user, servers.PASSWORD)
            session.select()

    start = time.monotonic()
    with ThreadPoolExecutor(CLIENTS) as clients:
        list(clients.map(login, islice(cycle(servers.USERS), LOGINS)))
    return LOGINS / (time.monotonic() - start)
