"""The memory of an idle server, and the time from a reboot to its first answers."""

from __future__ import annotations

import imaplib
import re
import socket
import ssl
import statistics
import time
from collections import defaultdict
from collections.abc import Callable

from bench import servers
from bench.report import GOAL_COLUMNS, Table, goal
from tests.targets.containers import Target

PART = "The deployed server: memory and reboot"
REBOOTS = 5
_UNITS = ("postgresql", "postfix", "dovecot", "rspamd", "redis-server", "unbound", "fail2ban")
_SMALL = ("mailstack-", "postsrsd", "postfix-mta-sts-resolver")
#: Of the whole server with its filter, in MiB.
_GOAL = 280


def measure() -> list[Table]:
    """Measure both Debian releases."""
    memory, reboots, goals = [], [], []
    for debian in (13, 12):
        with servers.handmade(debian, ["packages"]) as host:
            memory.append([str(debian), "the packages as Debian starts them", *_row(host)])
        with servers.ours(debian) as make:
            host = make("ours")
            memory.append([str(debian), "ours", *_row(host)])
            answers = [_reboot(host) for _ in range(REBOOTS)]
            medians = (statistics.median(times) for times in zip(*answers, strict=True))
            memory.append([str(debian), "ours, after a reboot", *_row(host)])
            host.remove()
            host = make("filtering", mail_rspamd=True, mail_srs=True, mail_resolver=True, mail_fail2ban=True)
            memory.append([str(debian), "ours, with the filter", *_row(host)])
            whole = float(memory[-1][-1])
            what = f"the whole server with the filter, Debian {debian}"
            goals.append(goal(what, f"at most {_GOAL} MiB", f"{whole:.0f} MiB", whole <= _GOAL))
            reboots.append([str(debian), *(f"{seconds:.1f} s" for seconds in medians)])
    return [
        Table(
            "Memory of the idle server, MiB",
            ("Debian", "server", *_UNITS, "all"),
            memory,
            "The proportional set size (PSS in smaps_rollup, proc(5)) of all processes of these units: what "
            "several share is counted once. The last column has mailstack's small services and MTA-STS too.",
        ),
        Table("Goals of memory", GOAL_COLUMNS, goals),
        Table(
            "From the start of the host to its first answer",
            ("Debian", "systemd is up", "SMTP greets", "IMAP lets in"),
            reboots,
            f"Medians of {REBOOTS}.",
        ),
    ]


def _row(host: Target) -> list[str]:
    servers.settle(host)
    found = memory(host)
    whole = sum(size for unit, size in found.items() if unit in _UNITS or unit.startswith(_SMALL))
    return [f"{found[unit]:.0f}" for unit in _UNITS] + [f"{whole:.0f}"]


def memory(host: Target) -> dict[str, float]:
    """Return the memory of each unit, in MiB."""
    command = "grep -H '' /proc/[0-9]*/smaps_rollup /proc/[0-9]*/cgroup 2>/dev/null; true"
    sizes: dict[str, int] = {}
    units: dict[str, str] = {}
    for line in host.exec(command).stdout.splitlines():
        path, _, text = line.partition(":")
        process = path.split("/")[2]
        if text.startswith("Pss:"):
            sizes[process] = int(text.split()[1])
        elif unit := re.search(r"/([^/@]+)(@[^/]*)?[.]service$", text):
            units[process] = unit[1]
    total: dict[str, float] = defaultdict(float)
    for process, size in sizes.items():
        total[units.get(process, "")] += size / 1024
    return total


def _reboot(host: Target) -> tuple[float, float, float]:
    """Return the seconds until systemd has started all units, SMTP greets, and an IMAP login works."""
    host.stop()
    start = time.monotonic()
    host.start()
    booted = time.monotonic() - start
    smtp = _until(lambda: _greets(host.ip), start)
    imap = _until(lambda: _lets_in(host.ip), start)
    return booted, smtp, imap


def _until(answers: Callable[[], bool], start: float) -> float:
    while True:
        try:
            if answers():
                return time.monotonic() - start
        except (OSError, imaplib.IMAP4.error):
            pass
        if time.monotonic() - start > 120:
            raise TimeoutError("no answer two minutes after the start")
        time.sleep(0.05)


def _greets(address: str) -> bool:
    with socket.create_connection((address, 25), timeout=10) as connection:
        return connection.recv(3) == b"220"


def _lets_in(address: str) -> bool:
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with imaplib.IMAP4_SSL(address, 993, ssl_context=context, timeout=10) as session:
        session.login(servers.USERS[0], servers.PASSWORD)
        return True
