"""Commands that look at a server, and `mailstack.verify`: with many accounts, and with a long journal."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from bench import servers
from bench.growth import Crowd
from bench.report import GOAL_COLUMNS, Table, goal, median
from mailstack.accounts import listed
from mailstack.engines.postgresql import dialect
from tests.targets.containers import Target

PART = "Looking at a server"
DEBIANS = (13, 12)
ACCOUNTS = 100_000
RUNS = 3
#: The goal of a list of all accounts, in seconds.
GOAL = 2
LISTS = (
    ("mailstack.accounts.list", "users"),
    ("mailstack.accounts.list", "users", "format=json"),
    ("mailstack.accounts.list", "format=json"),
)
SHOW = ("mailstack.accounts.show", "alias9@domain0.example")
_LIST, _SHOW = (" ".join(look) for look in (LISTS[0], SHOW))
LOOKS = (
    *LISTS,
    ("mailstack.accounts.list", "domain=domain0.example", "text=user77"),
    SHOW,
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
_LOGINS = """
INSERT INTO mail_last_login (email, service, at)
    SELECT email, service, now() - random() * interval '2 years'
    FROM mail_users, (VALUES ('imap'), ('smtp')) AS services (service) WHERE random() < 0.9;
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
    parts: dict[int, dict[str, float]] = {}
    for debian in DEBIANS:
        with servers.ours(debian) as make, servers.filtering(debian, make) as host:
            _fill(host)
            many[debian] = {f"`{' '.join(look)}`": _seconds(host, *look) for look in LOOKS}
            parts[debian] = _parts(host, many[debian])
            _write(host, _UNIT[debian])
            long[debian] = {f"`{' '.join(look)}`": _seconds(host, *look) for look in READS}
    goals = [
        goal(f"{name}, Debian {debian}", f"{GOAL} s", f"{found:.2f} s", found <= GOAL)
        for debian in many
        for name in (f"`{' '.join(each)}`" for each in LISTS)
        for found in (many[debian][name],)
    ]
    columns = ("", *(f"Debian {debian}" for debian in many))
    return [
        Table(f"With {ACCOUNTS:,} users, and as many aliases", columns, _rows(many), _ABOUT),
        Table(f"Where the time of `{_LIST}` goes", columns, _rows(parts)),
        Table(f"With {MESSAGES * LINES:,} lines in the journal, too", columns, _rows(long)),
        Table("Goals", GOAL_COLUMNS, goals),
    ]


_ABOUT = f"Seconds of the whole command over `@docker`, pyinfra's start included. Medians of {RUNS} runs."


def _rows(found: dict[int, dict[str, float]]) -> list[list[str]]:
    names = dict.fromkeys(name for times in found.values() for name in times)
    return [[name, *(f"{times[name]:.2f} s" for times in found.values())] for name in names]


def _parts(host: Target, whole: Mapping[str, float]) -> dict[str, float]:
    """Return the seconds of the parts of a list of all users.

    + whole: those of whole commands
    """
    start = whole[f"`{_SHOW}`"]
    asked = dialect.read_rows(listed.queries(dialect, ("users",)))
    psql = "runuser -u postgres -- psql -XAtq mail | gzip -1 | base64 -w0 >/dev/null"
    answer = median(lambda: _timed(lambda: host.exec(psql, input=asked)), RUNS)
    return {
        "Python, pyinfra, mailstack start": start,
        "the database answers": answer,
        "Python reads rows and prints them": whole[f"`{_LIST}`"] - start - answer,
    }


def _timed(run: Callable[[], object]) -> float:
    start = time.monotonic()
    run()
    return time.monotonic() - start


def _seconds(host: Target, *look: str) -> float:
    """Return the seconds of a command that may find something that needs a person."""

    def run() -> None:
        done = host.pyinfra("-y", *look, data=servers.data(**_FILTER), timeout=300)
        if not done.stdout:
            done.check()

    return median(lambda: _timed(run), RUNS)


def _fill(host: Target) -> None:
    """Make the accounts. Ten domains, as a key is made for each. Nine of ten users read and send mail."""
    psql = ["runuser", "-u", "postgres", "--", "psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "mail"]
    crowd = Crowd(ACCOUNTS, in_a_domain=ACCOUNTS // 10)
    host.exec(psql, input=f"{crowd.sql()}{_LOGINS} VACUUM ANALYZE;", timeout=900)
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
