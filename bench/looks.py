"""The commands that only look: at accounts, at one address, at the state of a host, at one message."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bench.report import median
from tests.targets.containers import Target

#: The commands whose time depends on the number of accounts.
LOOKS = (
    ("mailstack.accounts.list", "users", "format=json"),
    ("mailstack.accounts.list", "users"),
    ("mailstack.accounts.list", "format=json"),
    ("mailstack.accounts.list", "domain=domain0.example"),
    ("mailstack.accounts.show", "alias9@domain0.example"),
    ("mailstack.status",),
)
#: The number of messages whose lines are put into the journal, and of lines of each.
MESSAGES, LINES = 20_000, 5
_DROP_IN = "/run/systemd/system/postfix.service.d/lines.conf"
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

Run = Callable[..., float]
"""A function that runs pyinfra with these arguments, and returns the seconds."""


def cells(run: Run) -> dict[str, str]:
    """Return the time of each command, by what a person types."""
    return {f"`{' '.join(look)}`": f"{median(partial(run, *look), 3):.1f} s" for look in LOOKS}


def trace(target: Target, run: Run) -> list[list[str]]:
    """Return the times of a trace and of the state, once the journal has many lines."""
    target.write("/root/lines.sh", _SCRIPT.encode())
    target.exec(f"mkdir -p {_DROP_IN.rpartition('/')[0]}")
    target.write(_DROP_IN, _WRITE.encode())
    target.exec("systemctl daemon-reload && systemctl restart postfix && journalctl --sync", timeout=400)
    target.exec(f"rm {_DROP_IN} && systemctl daemon-reload && systemctl restart postfix")
    count = target.exec("journalctl -q --since=-1d _SYSTEMD_UNIT=postfix.service | wc -l").stdout.strip()
    if int(count) < MESSAGES * LINES:
        raise RuntimeError(f"the journal has only {count} lines of Postfix")
    looks = ("mailstack.trace", "user77@domain0.example"), ("mailstack.status",)
    return [[f"`{' '.join(look)}`", f"{median(partial(run, *look), 3):.1f} s"] for look in looks]
