"""The rights that systemd takes from services, and their price for a message."""

from __future__ import annotations

import re
import statistics
from collections import defaultdict

from bench import servers, traffic
from bench.report import GOAL_COLUMNS, Table, goal
from tests.targets.containers import Target

PART = "Hardening by systemd"
ROUNDS = 3
_WITHOUT, _WITH = "without", "with"
_SETTINGS = {"mail_rspamd": True, "mail_srs": True, "mail_resolver": True, "mail_web": True}
_PATTERNS = (
    "postfix",
    "dovecot",
    "rspamd",
    "unbound",
    "postsrsd",
    "nginx",
    "redis-server@mailstack",
    "mailstack-*",
)


def measure() -> list[Table]:
    """Measure both Debian releases."""
    exposure, goals = [], []
    for debian in (13, 12):
        rows, price = _measure(debian)
        exposure += rows
        goals.append(price)
    return [
        Table(
            "Exposure by systemd-analyze security: 10 is a service with all rights of root",
            ("Debian", "unit", "without `mail_hardening`", "with it"),
            exposure,
        ),
        Table(
            "Its price",
            GOAL_COLUMNS,
            goals,
            f"The whole server with its filter; medians of {ROUNDS} rounds in turns.",
        ),
    ]


def _measure(debian: int) -> tuple[list[list[str]], list[str]]:
    """Return the rows of exposure of one release, and the price of a message."""
    found: dict[str, dict[str, str]] = {}
    costs: dict[str, list[float]] = defaultdict(list)
    with servers.ours(debian) as make, servers.filtering(debian, make, mail_web=True) as host:
        for _ in range(ROUNDS):
            for name in (_WITHOUT, _WITH):
                _deploy(host, hardened=name == _WITH)
                found[name] = exposures(host)
                traffic.run(host, 100)
                costs[name].append(traffic.run(host).whole_cost)
    rows = [[str(debian), unit, found[_WITHOUT][unit], value] for unit, value in found[_WITH].items()]
    without, hardened = (statistics.median(costs[name]) for name in (_WITHOUT, _WITH))
    price = goal(
        f"processor time of a message, Debian {debian}",
        "at most 1.03 times",
        f"{hardened / without:.2f} ({without:.1f} ms, {hardened:.1f} ms)",
        hardened <= without * 1.03,
    )
    return rows, price


def _deploy(host: Target, *, hardened: bool) -> None:
    data = servers.data(**_SETTINGS, mail_hardening=hardened)
    host.pyinfra("-y", "deploy.py", data=data, timeout=900).check()


def exposures(host: Target) -> dict[str, str]:
    """Return systemd's figure for each running unit of the mail server, such as ``4.3``."""
    listed = ["systemctl", "list-units", "--state=running", "--plain", "--no-legend"]
    names = [f"{pattern}.service" for pattern in (*_PATTERNS, "postfix@-")]
    units = [line.split()[0] for line in host.exec([*listed, *names]).stdout.splitlines()]
    said = {unit: host.exec(["systemd-analyze", "security", "--no-pager", unit]).stdout for unit in units}
    return {unit.removesuffix(".service"): _level(text) for unit, text in said.items()}


def _level(text: str) -> str:
    (level,) = re.findall(r"Overall exposure level for \S+: ([\d.]+)", text)
    return str(level)
