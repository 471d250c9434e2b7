"""Messages per second from port 25 through LMTP into Maildirs: mailstack, its limit, a handmade server."""

from __future__ import annotations

import re
import statistics
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass

from bench import servers
from bench.report import GOAL_COLUMNS, Table, goal
from tests.targets.containers import Target
from tests.targets.shell import TargetError

PART = "The deployed server: mail"
RUNS = 5
MESSAGES = 1000
SESSIONS = 20
SIZE = 4096
FILTERING = "ours, with the filter"
CROWDS = (20, 100, 500)
#: The characters of a query that are printed.
QUERY = 100
_UNITS = ("postfix", "dovecot", "postgresql", "rspamd", "systemd-journald")
#: The columns after these.
_SUMS = ("all", "of it the kernel", "the machine")

#: Sends to each user of the server in turn, from the host's own address: to the server that is a stranger.
#: Prints the seconds until everything was accepted, and until the queue was empty.
_LOAD = """
set -eu
sessions=$1 each=$2 size=$3
address=$(hostname -I | cut -d' ' -f1)
cd /var/spool/postfix
queued() { find incoming active deferred maildrop -type f | wc -l; }
start=$(date +%s.%N)
for user in $4; do
  smtp-source -s "$sessions" -m "$each" -l "$size" -M remote.example.net \\
    -f stranger@remote.example.net -t "$user" "$address:25" &
done
wait
accepted=$(date +%s.%N)
until [ "$(queued)" = 0 ]; do sleep 0.05; done
echo "$start $accepted $(date +%s.%N)"
"""

#: What Postfix asks, taken from the database as it is and put in files.
_DUMP = """
set -eu
cd /etc/postfix
query() { runuser -u postgres -- psql -XAtq -F ' ' mail -c "$1"; }
query "SELECT domain_name, 'x' FROM mail_domain" > dump_domains
query "SELECT email, email FROM mail_users" > dump_users
query "SELECT domain_name, '550 5.7.1 a login is needed' FROM mail_domain" > dump_senders
: > dump_none
for table in dump_*; do postmap "hash:$table"; done
sed -i 's#[a-z:]*sql:\\$config_directory/sql/own_senders.cf#hash:/etc/postfix/dump_senders#' main.cf
postconf -e virtual_mailbox_domains=hash:/etc/postfix/dump_domains \\
  virtual_mailbox_maps=hash:/etc/postfix/dump_users virtual_alias_maps=hash:/etc/postfix/dump_users \\
  relay_domains=hash:/etc/postfix/dump_none relay_recipient_maps=hash:/etc/postfix/dump_none \\
  smtpd_sender_login_maps=hash:/etc/postfix/dump_users
! postconf -n | grep sql:
systemctl restart postfix
"""

#: Without it most mail gets 4xx: each process of Postfix has a connection for each of its tables.
_MORE_CONNECTIONS = """
runuser -u postgres -- psql -Xqc 'ALTER SYSTEM SET max_connections = 5000'
systemctl restart postgresql
"""


@dataclass(frozen=True)
class Round:
    """The result of one round.

    + accepted, delivered: messages per second
    + cost: processor time of a message in milliseconds, by unit
    + kernel: the part of it in system calls
    + machine: processor time of the whole machine for a message, with the client and all else that ran
    """

    accepted: float
    delivered: float
    cost: Mapping[str, float]
    kernel: float
    machine: float

    @property
    def whole_cost(self) -> float:
        """The processor time of a message in milliseconds, in all services."""
        return sum(cost for unit, cost in self.cost.items() if unit)


def measure() -> list[Table]:
    """Measure both Debian releases."""
    return [table for debian in (13, 12) for table in _measure(debian)]


def _measure(debian: int) -> list[Table]:
    with ExitStack() as stack:
        make = stack.enter_context(servers.ours(debian))
        hosts = {
            "ours": make("ours"),
            FILTERING: stack.enter_context(servers.filtering(debian, make)),
            "ours, `pgsql:`": make("direct", mail_map_type="pgsql"),
            "ours, maps in files": make("files"),
            "made by hand": stack.enter_context(servers.handmade(debian)),
        }
        hosts["ours, maps in files"].exec(_DUMP)
        hosts["ours, `pgsql:`"].exec(_MORE_CONNECTIONS)
        for host in hosts.values():
            run(host, 100)
        rounds: dict[str, list[Round]] = defaultdict(list)
        for _ in range(RUNS):
            for name, host in hosts.items():
                rounds[name].append(run(host))
        speed = {
            name: statistics.median(round.delivered for round in found) for name, found in rounds.items()
        }
        crowds = {
            name: {sessions: crowd(hosts[name], sessions) for sessions in CROWDS}
            for name in ("ours", "ours, `pgsql:`", "made by hand")
        }
    costs = {name: statistics.median(round.whole_cost for round in found) for name, found in rounds.items()}
    filtered = costs[FILTERING] / costs["ours"]
    most = crowds["ours"][CROWDS[-1]]
    limit = speed["ours"] / speed["ours, maps in files"]
    by_hand = speed["ours"] / speed["made by hand"]
    queries = crowds["ours"][CROWDS[0]].queries
    return [
        Table(
            f"Messages a second, Debian {debian}",
            ("server", "accepted", "delivered", *(f"{unit}, ms" for unit in (*_UNITS, *_SUMS))),
            [_row(name, found) for name, found in rounds.items()],
            f"{MESSAGES} messages of {SIZE} bytes, {SESSIONS} sessions, {len(servers.USERS)} mailboxes; "
            f"medians of {RUNS} rounds, server by server in turns. The last columns: processor time a "
            "message, with what is done after delivery; how much of it is spent in system calls; and what "
            "the whole machine did meanwhile, with the client, the network and whatever else ran.",
        ),
        Table(
            f"Connections to PostgreSQL and queries a message, Debian {debian}",
            ("server", *(f"{sessions} sessions" for sessions in CROWDS)),
            [
                [name, *(f"{found.connections}, {found.queries:.1f}" for found in by_sessions.values())]
                for name, by_sessions in crowds.items()
            ],
        ),
        Table(
            f"Queries of ours at {CROWDS[0]} sessions, Debian {debian}",
            ("a message", "query"),
            [
                [f"{count / MESSAGES:.2f}", "`{}`".format(query[:QUERY].replace("|", "\\|"))]
                for query, count in crowds["ours"][CROWDS[0]].asked.most_common()
                if count > MESSAGES / 100
            ],
        ),
        Table(
            f"Goals, Debian {debian}",
            GOAL_COLUMNS,
            [
                goal("delivered, of the limit", "0.95", f"{limit:.2f}", limit >= 0.95),
                goal("delivered, of the server made by hand", "1.5", f"{by_hand:.2f}", by_hand >= 1.5),
                goal(f"queries a message at {CROWDS[0]} sessions", "4", f"{queries:.1f}", queries <= 4),
                goal(
                    f"connections at {CROWDS[-1]} sessions",
                    "below 20",
                    str(most.connections),
                    most.connections < 20,
                ),
                goal("processor time with the filter", "1.35 times", f"{filtered:.2f}", filtered <= 1.35),
            ],
            "The limit: the same server with what Postfix asks in `hash:` files. With `pgsql:`, PostgreSQL "
            "is given 5,000 connections; with its 100, most of this mail is refused for now.",
        ),
    ]


def _row(name: str, rounds: list[Round]) -> list[str]:
    accepted = statistics.median(round.accepted for round in rounds)
    delivered = statistics.median(round.delivered for round in rounds)
    costs = [statistics.median(round.cost[unit] for round in rounds) for unit in _UNITS]
    costs += [
        statistics.median(sums)
        for sums in zip(*((round.whole_cost, round.kernel, round.machine) for round in rounds), strict=True)
    ]
    return [name, f"{accepted:.0f}", f"{delivered:.0f}", *(f"{cost:.1f}" for cost in costs)]


def run(
    host: Target,
    messages: int = MESSAGES,
    sessions: int = SESSIONS,
    users: Sequence[str] = servers.USERS,
) -> Round:
    """Return one round on an idle host with empty mailboxes. Raises `TargetError` if a message is lost."""
    # put aside: where much was deleted just now, a filesystem without a journal is slow to make new files
    host.exec(f"cd /var/vmail; mkdir -p old; if [ -e {servers.DOMAIN} ]; then mv {servers.DOMAIN} old/$$; fi")
    load(host, len(users), sessions, users)  # makes the mailboxes
    before, more_before = servers.settle(host), (servers.kernel_time(host), servers.machine_time(host))
    accepted, delivered = load(host, messages, sessions, users)
    after, more_after = servers.settle(host), (servers.kernel_time(host), servers.machine_time(host))
    names = "-name 'u.[0-9]*' -o -path '*/Maildir/new/*' -o -path '*/Maildir/cur/*'"
    find = f"find /var/vmail/{servers.DOMAIN} {names} | wc -l"
    there = int(host.exec(find).stdout) - len(users)
    if there != messages:
        raise TargetError(f"{host.name}: {there} of {messages} messages have arrived")
    cost = {unit: (after[unit] - before[unit]) / messages * 1000 for unit in after}
    kernel, machine = (
        (now - then) / messages * 1000 for then, now in zip(more_before, more_after, strict=True)
    )
    return Round(messages / accepted, messages / delivered, defaultdict(float, cost), kernel, machine)


def load(
    host: Target, messages: int, sessions: int, users: Sequence[str] = servers.USERS
) -> tuple[float, float]:
    """Send messages to users in turn. Return the seconds until all were accepted, and until delivered."""
    each = (str(max(1, sessions // len(users))), str(messages // len(users)), str(SIZE))
    script = ["sh", "-c", _LOAD, "sh", *each, " ".join(users)]
    start, accepted, delivered = map(float, host.exec(script, timeout=300).stdout.split())
    return accepted - start, delivered - start


@dataclass(frozen=True)
class Crowd:
    """A server's use of the database: the most connections, and the queries for each message.

    + asked: the count of each query, without literals
    """

    connections: int
    queries: float
    asked: Counter[str]


_WATCH = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = 'mail' AND pid <> pg_backend_pid() \\watch 0.1\n"
)
_PSQL = "runuser -u postgres -- psql -XAtq mail"
_LOG = "/var/log/postgresql/postgresql-*-main.log"


def crowd(host: Target, sessions: int, messages: int = MESSAGES) -> Crowd:
    """Load with so many sessions at once, while the database tells what it is asked."""
    servers.settle(host)
    host.exec(f"{_PSQL} -c \"ALTER SYSTEM SET log_statement = 'all'\" -c 'SELECT pg_reload_conf()'; sleep 1")
    host.exec(f"truncate -s 0 {_LOG}")
    host.write("/root/watch.sql", _WATCH.encode())
    host.exec(f"({_PSQL} < /root/watch.sql > /root/connections 2>&1 & echo $! > /root/watch.pid)")
    try:
        load(host, messages, sessions)
    finally:
        host.exec("kill $(cat /root/watch.pid)", check=False)
        host.exec(f"{_PSQL} -c 'ALTER SYSTEM RESET log_statement' -c 'SELECT pg_reload_conf()'")
    connections = [int(line) for line in host.read("/root/connections").split() if line.isdigit()]
    asked = statements(host)
    return Crowd(max(connections), sum(asked.values()) / messages, asked)


def statements(host: Target) -> Counter[str]:
    """Return the statements of the lookup roles in the log, without literals."""
    log = host.exec(f"cat {_LOG}").stdout
    found = re.findall(r"@mail LOG: +(?:statement|execute [^:]*): (.*)", log)
    ours = [text for text in found if "pg_stat_activity" not in text and "pg_reload_conf" not in text]
    return Counter(re.sub(r"'[^']*'", "'…'", text) for text in ours)
