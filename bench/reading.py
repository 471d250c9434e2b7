"""Reading by IMAP: many idle connections, and a folder with many messages, beside stock Dovecot."""

from __future__ import annotations

import imaplib
import ssl
import statistics
import time
from collections import defaultdict
from collections.abc import Callable
from itertools import cycle, islice

from bench import memory, servers
from bench.report import GOAL_COLUMNS, Table, goal
from tests.targets.containers import Target

PART = "The deployed server: reading"
RUNS = 5
IDLE = 1_000
MESSAGES = 30_000
OURS, STOCK = "ours", "made by hand"
#: What is measured in the large folder. The words are in no message, and in one header.
COMMANDS: dict[str, Callable[[imaplib.IMAP4], object]] = {
    "SELECT": lambda session: session.select(),
    "FETCH 1:* FLAGS": lambda session: session.fetch("1:*", "(FLAGS)"),
    "SEARCH UNSEEN": lambda session: session.search(None, "UNSEEN"),
    'SEARCH SUBJECT "29999"': lambda session: session.search(None, "SUBJECT", '"29999"'),
    'SEARCH BODY "nowhere"': lambda session: session.search(None, "BODY", '"nowhere"'),
}
#: Allows that many connections from one address, and logins with a password that is cheap to check.
_ALLOW = """
set -eu
password=$(doveadm pw -s SSHA512 -p "$1")
runuser -u postgres -- psql -XAtqc "UPDATE mail_users SET password = '$password'" mail
cat >> /etc/dovecot/dovecot.conf <<END
mail_max_userip_connections = 2000
service imap-login {
  process_limit = 2000
}
service imap {
  process_limit = 2000
}
END
systemctl restart dovecot
"""
#: Makes a Maildir, and copies it into the INBOX of a user.
_FILL = """
set -eu
mkdir -p /var/vmail/fill/new /var/vmail/fill/tmp /var/vmail/fill/cur
cd /var/vmail/fill
seq "$2" | while read -r number; do
  printf 'Subject: %s\\n\\nThe text.\\n' "$number" > "cur/$((1700000000 + number)).M1P1.host:2,S"
done
chown -R vmail: .
case $(dovecot --version) in
  2.3.*) doveadm import -u "$1" "maildir:$PWD" "" ALL ;;
  *) doveadm import -u "$1" -p mail_driver=maildir -p mail_path="$PWD" "maildir:$PWD" "" ALL ;;
esac
"""


def measure() -> list[Table]:
    """Measure both Debian releases."""
    idle: list[list[str]] = []
    speed: list[list[str]] = []
    goals: list[list[str]] = []
    for debian in (13, 12):
        with servers.ours(debian) as make, servers.handmade(debian) as stock:
            hosts = {OURS: make("reading"), STOCK: stock}
            found = {name: _idle(host) for name, host in hosts.items()}
            idle += [[str(debian), name, f"{size:.0f} MiB"] for name, size in found.items()]
            goals.append(_no_worse(f"memory of {IDLE:,} idle connections, Debian {debian}", found))
            for name, times in _timed(hosts).items():
                speed.append([str(debian), name, *(f"{times[host]:.1f} ms" for host in hosts)])
                goals.append(_no_worse(f"{name}, Debian {debian}", times))
    return [
        Table(
            f"Memory of Dovecot with {IDLE:,} idle IMAP connections",
            ("Debian", "server", "more than without"),
            idle,
            "TLS, INBOX selected, IDLE; the proportional set size, as above.",
        ),
        Table(
            f"A folder of {MESSAGES:,} messages",
            ("Debian", "command", OURS, STOCK),
            speed,
            f"Medians of {RUNS} rounds, server by server in turns, each over a new connection. Ours is "
            "sdbox, the other a Maildir.",
        ),
        Table("Goals", GOAL_COLUMNS, goals),
    ]


def _no_worse(what: str, found: dict[str, float]) -> list[str]:
    """Return the row of a goal: no worse than stock, but for a tenth, which is noise."""
    share = found[OURS] / found[STOCK]
    return goal(f"{what}, of stock Dovecot", "1.1 times", f"{share:.2f}", share <= 1.1)


def _session(host: Target, user: str) -> imaplib.IMAP4:
    """Return a new session of a user."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    session = imaplib.IMAP4_SSL(host.ip, 993, ssl_context=context, timeout=120)
    session.login(user, servers.PASSWORD)
    return session


def _idle(host: Target) -> float:
    """Return how much memory Dovecot takes for idle connections, in MiB."""
    host.exec(["sh", "-c", _ALLOW, "sh", servers.PASSWORD])
    servers.settle(host)
    before = memory.memory(host)["dovecot"]
    made: list[imaplib.IMAP4] = []
    try:
        for user in islice(cycle(servers.USERS), IDLE):
            made.append(_session(host, user))
            made[-1].select()
            made[-1].send(b"x IDLE\r\n")
        servers.settle(host)
        return memory.memory(host)["dovecot"] - before
    finally:
        for session in made:
            session.shutdown()


def _timed(hosts: dict[str, Target]) -> dict[str, dict[str, float]]:
    """Return the milliseconds of each command on each host."""
    user = servers.USERS[0]
    for host in hosts.values():
        host.exec(["sh", "-c", _FILL, "sh", user, str(MESSAGES)], timeout=1800)
    found: dict[str, dict[str, list[float]]] = {name: defaultdict(list) for name in COMMANDS}
    for _ in range(RUNS):
        for name, host in hosts.items():
            with _session(host, user) as session:
                session.select()
                for command, run in COMMANDS.items():
                    began = time.monotonic()
                    run(session)
                    found[command][name].append((time.monotonic() - began) * 1000)
    return {
        command: {name: statistics.median(times) for name, times in of.items()}
        for command, of in found.items()
    }
