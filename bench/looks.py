"""Commands that look at a server, and `mailstack.verify`: with many accounts, and with a long journal."""

from __future__ import annotations

import time

from bench import servers
from bench.growth import Crowd
from bench.report import GOAL_COLUMNS, Table, goal, median
from tests.targets.containers import Target

PART = "Looking at a server"
ACCOUNTS = 100_000
RUNS = 3
#: The goal of a list of all accounts, in seconds.
GOAL = 2
LISTS = (
    ("mailstack.accounts.list", "users"),
    ("mailstack.accounts.list", "users", "format=json"),
    ("mailstack.accounts.list", "format=json"),
)
LOOKS = (
    *LISTS,
    ("mailstack.accounts.list", "domain=domain0.example", "text=user77"),
    ("mailstack.accounts.show", "alias9@domain0.example"),
    ("mailstack.status",),
    ("mailstack.verify",),
)
#: What reads the journal.
READS = (("mailstack.trace", "user77@domain0.example"), ("mailstack.status",))
#: The number of messages whose lines are put into the journal, and of lines of each.
MESSAGES, LINES = 20_000, 5
#: The unit of Postfix whose lines a trace believes.
_UNIT = {12: "postfix@-", 13: "postfix"}
#: systemd starts it as part of Postfix's unit, so the lines are taken for Postfix's.
_WRITE = """
[Service]
LogRateLimitIntervalSec=1s
LogRateLimitBurst=1000000
TimeoutStartSec=300
ExecStartPost=/bin/sh /root/lines.sh
"""
_SCRIPT = f"""
write() {{  # PROGRAM TEXT: a line for each message, in which N is its number
  awk -v text="$2" 'BEGIN {{
    for (n = 1; n <= {MESSAGES}; n++) {{
      line = text; gsub(/N/, n, line); printf "%010X: %s\\n", n + 2 ^ 36, line
    }}
  }}' | logger -p mail.info -t "postfix/$1"
}}
write smtpd 'client=remote.example.net[192.0.2.1]'
write cleanup 'message-id=<N@remote.example.net>'
write qmgr 'from=<sender@remote.example.net>, size=1000, nrcpt=1 (queue active)'
write lmtp 'to=<userN@domain0.example>, relay=mail.example.org[private/dovecot-lmtp], delay=0.1, \
delays=0.1/0/0/0, dsn=2.0.0, status=sent (250 2.0.0 <userN@domain0.example> sessionN Saved)'
write qmgr 'removed'
"""
_FILTER = {"mail_rspamd": True, "mail_srs": True, "mail_resolver": True}


def measure() -> list[Table]:
    """Measure both Debian releases."""
    many: dict[int, dict[str, float]] = {}
    long: dict[int, dict[str, float]] = {}
    for debian in (13, 12):
        with servers.ours(debian) as make, servers.filtering(debian, make) as host:
            _fill(host)
            many[debian] = {" ".join(look): _seconds(host, *look) for look in LOOKS}
            _write(host, _UNIT[debian])
            long[debian] = {" ".join(look): _seconds(host, *look) for look in READS}
    goals = [
        goal(f"`{' '.join(each)}`, Debian {debian}", f"{GOAL} s", f"{found:.1f} s", found <= GOAL)
        for debian in many
        for each in LISTS
        for found in (many[debian][" ".join(each)],)
    ]
    columns = ("", *(f"Debian {debian}" for debian in many))
    return [
        Table(f"With {ACCOUNTS:,} users, and as many aliases", columns, _rows(many), _ABOUT),
        Table(f"With {MESSAGES * LINES:,} lines in the journal, too", columns, _rows(long)),
        Table("Goals", GOAL_COLUMNS, goals),
    ]


_ABOUT = f"Seconds of the whole command over `@docker`, pyinfra's start included. Medians of {RUNS} runs."


def _rows(found: dict[int, dict[str, float]]) -> list[list[str]]:
    names = dict.fromkeys(name for times in found.values() for name in times)
    return [[f"`{name}`", *(f"{times[name]:.1f} s" for times in found.values())] for name in names]


def _seconds(host: Target, *look: str) -> float:
    """Return the seconds of a command that may find something that needs a person."""

    def run() -> float:
        start = time.monotonic()
        done = host.pyinfra("-y", *look, data=servers.data(**_FILTER), timeout=300)
        if not done.stdout:
            done.check()
        return time.monotonic() - start

    return median(run, RUNS)


def _fill(host: Target) -> None:
    """Make the accounts. Ten domains, as a key is made for each."""
    psql = ["runuser", "-u", "postgres", "--", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "mail"]
    crowd = Crowd(ACCOUNTS, in_a_domain=ACCOUNTS // 10)
    host.exec(psql, input=f"{crowd.sql()} VACUUM ANALYZE;", timeout=900)
    servers.settle(host)


def _write(host: Target, unit: str) -> None:
    """Put the lines into the journal."""
    drop_in = f"/run/systemd/system/{unit}.service.d/lines.conf"
    host.write("/root/lines.sh", _SCRIPT.encode())
    host.exec(f"mkdir -p {drop_in.rpartition('/')[0]}")
    host.write(drop_in, _WRITE.encode())
    host.exec(f"systemctl daemon-reload && systemctl restart {unit} && journalctl --sync", timeout=400)
    host.exec(f"rm {drop_in} && systemctl daemon-reload && systemctl restart {unit}")
    lines = f"journalctl -q --since=-1d _SYSTEMD_UNIT={unit}.service | wc -l"
    count = int(host.exec(lines).stdout)
    if count < MESSAGES * LINES:
        raise RuntimeError(f"the journal has only {count} lines of Postfix")
    servers.settle(host)
