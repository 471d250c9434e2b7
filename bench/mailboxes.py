"""The cost of a delivery by the number of messages in the mailbox."""

from __future__ import annotations

from bench import servers, traffic
from bench.report import Table
from tests.targets.containers import Target

PART = "Growth: mail in a mailbox"
SIZES = (10, 1_000, 30_000)
DEBIAN = 13
DELIVERIES = 50

#: The recipients by their properties; the first has none.
_PLAIN, _QUOTA, _SCRIPT = servers.USERS[:3]
_USERS = {
    "a user as they are by default": _PLAIN,
    "with a quota": _QUOTA,
    "with a Sieve script": _SCRIPT,
}
_MAKE = f"""
set -eu
runuser -u postgres -- psql -XAtqc "UPDATE mail_users SET quota_mb = 100000 WHERE email = '{_QUOTA}'" mail
cd "$(doveadm user -f home {_SCRIPT})"
echo 'if header :contains "subject" "never" {{ discard; }}' > .dovecot.sieve
sievec .dovecot.sieve
chown vmail: .dovecot.*
"""
#: Puts messages, from one number to another, where a client leaves them, and has Dovecot index them.
_FILL = """
set -eu
cd "$(doveadm user -f home "$1")/Maildir"
seq "$2" "$3" | while read -r number; do
  printf 'Subject: %s\\n\\nThe text.\\n' "$number" > "cur/$((1700000000 + number)).M1P1.host:2,S"
done
chown -R vmail: cur
doveadm index -u "$1" INBOX
"""


def measure() -> list[Table]:
    """Measure one server while its mailboxes are filled."""
    host = servers.target("mailboxes", DEBIAN)
    cells: dict[str, list[str]] = {name: [name] for name in _USERS}
    try:
        host.create()
        host.pyinfra("-y", "deploy.py", data=servers.data(), timeout=900).check()
        traffic.load(host, len(_USERS), 1, [*_USERS.values()])  # makes the mailboxes
        servers.settle(host)
        host.exec(["sh", "-c", _MAKE])
        filled = 0
        for size in SIZES:
            for name, user in _USERS.items():
                fill = ["sh", "-c", _FILL, "sh", user, str(filled + 1), str(size)]
                host.exec(fill, timeout=600)
                cells[name].append(f"{_delivery(host, user):.1f} ms")
            filled = size
    finally:
        host.remove()
    return [
        Table(
            f"Dovecot's part of a delivery, Debian {DEBIAN}",
            ("messages in INBOX", *(f"{size:,}" for size in SIZES)),
            [*cells.values()],
            f"Processor time of Dovecot for each of {DELIVERIES} messages, one after the other, with what is "
            "done after delivery.",
        )
    ]


def _delivery(host: Target, user: str) -> float:
    """Return the processor time of a delivery, in milliseconds."""
    traffic.load(host, 3, 1, [user])  # what is done once after a mailbox was filled
    before = servers.settle(host)
    traffic.load(host, DELIVERIES, 1, [user])
    after = servers.settle(host)
    return (after["dovecot"] - before["dovecot"]) / DELIVERIES * 1000
