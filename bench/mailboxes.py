"""The cost of a delivery by the number of messages in the mailbox."""

from __future__ import annotations

from bench import servers, traffic
from bench.report import GOAL_COLUMNS, Table, goal
from tests.targets.containers import Target

PART = "Growth: mail in a mailbox"
SIZES = (10, 1_000, 30_000)
DEBIAN = 13
DELIVERIES = 50

#: The recipients by their properties; the first has none.
_PLAIN, _QUOTA, _SCRIPT, _MAILDIR, _BOTH = servers.USERS[:5]
_USERS = {
    "a user as they are by default": _PLAIN,
    "with a quota": _QUOTA,
    "with a Sieve script": _SCRIPT,
    "with a Maildir": _MAILDIR,
    "with a Maildir and a quota": _BOTH,
}
_GOAL = 1.5
_MAKE = f"""
set -eu
sql() {{ runuser -u postgres -- psql -XAtqc "$1" mail; }}
sql "UPDATE mail_users SET quota_mb = 100000 WHERE email IN ('{_QUOTA}', '{_BOTH}')"
sql "UPDATE mail_users SET mail_driver = 'maildir' WHERE email IN ('{_MAILDIR}', '{_BOTH}')"
home=$(doveadm user -f home {_SCRIPT})
runuser -u vmail -- mkdir -p "$home"
cd "$home"
echo 'if header :contains "subject" "never" {{ discard; }}' > .dovecot.sieve
sievec .dovecot.sieve
chown vmail: .dovecot.*
"""
#: Makes a Maildir with messages from one number to another, and puts them into the INBOX of each user.
_FILL = """
set -eu
rm -rf /var/vmail/fill
mkdir -p /var/vmail/fill/new /var/vmail/fill/tmp /var/vmail/fill/cur
cd /var/vmail/fill
seq "$1" "$2" | while read -r number; do
  printf 'Subject: %s\\n\\nThe text.\\n' "$number" > "cur/$((1700000000 + number)).M1P1.host:2,S"
done
chown -R vmail: .
shift 2
for user; do
  doveadm import -u "$user" -p mail_driver=maildir -p mail_path="$PWD" "maildir:$PWD" "" ALL
done
"""


def measure() -> list[Table]:
    """Measure one server while its mailboxes are filled."""
    host = servers.target("mailboxes", DEBIAN)
    costs: dict[str, list[float]] = {name: [] for name in _USERS}
    try:
        host.create()
        host.pyinfra("-y", "deploy.py", data=servers.data(), timeout=900).check()
        host.exec(["sh", "-c", _MAKE])
        traffic.load(host, len(_USERS), 1, [*_USERS.values()])  # makes the mailboxes
        servers.settle(host)
        filled = 0
        for size in SIZES:
            fill = ["sh", "-c", _FILL, "sh", str(filled + 1), str(size), *_USERS.values()]
            host.exec(fill, timeout=1800)
            for name, user in _USERS.items():
                costs[name].append(_delivery(host, user))
            filled = size
    finally:
        host.remove()
    return [
        Table(
            f"Dovecot's part of a delivery, Debian {DEBIAN}",
            ("messages in INBOX", *(f"{size:,}" for size in SIZES)),
            [[name, *(f"{cost:.1f} ms" for cost in found)] for name, found in costs.items()],
            f"Processor time of Dovecot for each of {DELIVERIES} messages, one after the other, with what is "
            "done after delivery.",
        ),
        Table("Goals", GOAL_COLUMNS, [_reached(costs)]),
    ]


def _reached(costs: dict[str, list[float]]) -> list[str]:
    """Return the row of the goal."""
    plain, quota = (costs[name] for name in ("a user as they are by default", "with a quota"))
    grown = quota[-1] / plain[0]
    what = f"an INBOX of {SIZES[-1]:,} with a quota, of one with {SIZES[0]} messages without"
    return goal(what, f"{_GOAL} times", f"{grown:.1f}", grown <= _GOAL)


def _delivery(host: Target, user: str) -> float:
    """Return the processor time of a delivery, in milliseconds."""
    traffic.load(host, 3, 1, [user])  # what is done once after a mailbox was filled
    before = servers.settle(host)
    traffic.load(host, DELIVERIES, 1, [user])
    after = servers.settle(host)
    return (after["dovecot"] - before["dovecot"]) / DELIVERIES * 1000
