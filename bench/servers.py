"""The measured servers: mailstack's, variants of it, and one made by hand."""

from __future__ import annotations

import re
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mailstack.components.declarations import Record
from mailstack.passwords import hash_password
from tests.support import dns
from tests.targets import networks
from tests.targets.containers import Target
from tests.targets.shell import TargetError, docker

HOSTNAME = "mail.example.org"
DOMAIN = "example.org"
PASSWORD = "a good password"
USERS = [f"user{number}@{DOMAIN}" for number in range(1, 21)]
HANDMADE = Path(__file__).with_name("handmade")
#: A server is idle if nothing has used a processor for so many seconds.
_STILL = 1.0

_HERTZ = 100


def data(**more: Any) -> dict[str, Any]:
    """Return mailstack's settings: the defaults, except for limits that a single client would reach."""
    password = hash_password(PASSWORD)
    return {
        "mail_hostname": HOSTNAME,
        "mail_domains": [DOMAIN],
        "mail_users": [{"email": email, "password_hash": password} for email in USERS],
        # those that this is compared with have none of these
        "mail_rspamd": False,
        "mail_srs": False,
        "mail_resolver": False,
        "mail_fail2ban": False,
        "mail_smtpd_client_connection_rate_limit": 0,
        "mail_smtpd_client_connection_count_limit": 0,
        "mail_smtpd_client_message_rate_limit": 0,
        "mail_smtpd_client_recipient_rate_limit": 0,
        "mail_smtpd_client_auth_rate_limit": 0,
        "mail_max_userip_connections": 1000,
        **more,
    }


@contextmanager
def ours(debian: int) -> Iterator[Callable[..., Target]]:
    """Yield a function that makes deployed hosts: `make(name, setting=…)` is a copy with these settings."""
    first = target("first", debian)
    image = f"{networks.TEST_NAME}-bench-ours:{debian}"
    made: list[Target] = []

    def make(name: str, **settings: Any) -> Target:
        copy = target(name, debian)
        made.append(copy)
        copy.create(image)
        if settings:
            copy.pyinfra("-y", "deploy.py", data=data(**settings), timeout=900).check()
        return copy

    try:
        first.create()
        first.pyinfra("-y", "deploy.py", data=data(), timeout=900).check()
        first.stop()
        first.commit(image)
        first.remove()
        yield make
    finally:
        for copy in (first, *made):
            copy.remove()
        docker("image", "rm", image, check=False)


@contextmanager
def filtering(debian: int, make: Callable[..., Target], **settings: Any) -> Iterator[Target]:
    """Yield a copy with the filter, which has a DNS to ask: without one, mail of strangers waits.

    `settings` are more of mailstack's.
    """
    names = dns.server(f"{networks.TEST_NAME}-bench-dns-{debian}", networks.test(debian))
    try:
        host = make("filtering", mail_rspamd=True, mail_srs=True, mail_resolver=True, **settings)
        dns.use(host, names)
        stranger = Record("remote.example.net", "TXT", '"v=spf1 a -all"')
        dns.serve(names, [*dns.host(HOSTNAME, host.ip), *dns.host(stranger.name, host.ip), stranger])
        yield host
    finally:
        names.remove()


@contextmanager
def handmade(debian: int, steps: Sequence[str] = ("packages", "configured")) -> Iterator[Target]:
    """Yield the server that is made by hand; `steps` are those of its `install.sh`."""
    host = target("handmade", debian)
    host.create()
    try:
        host.exec("mkdir -p /root/handmade")
        docker("cp", f"{HANDMADE}/.", f"{host.name}:/root/handmade")
        for step in steps:
            host.exec(["sh", "/root/handmade/install.sh", step], timeout=600)
        yield host
    finally:
        host.remove()


def target(name: str, debian: int) -> Target:
    """Return a host of the measurements, not made yet."""
    return Target(f"{networks.TEST_NAME}-bench-{name}-{debian}", debian, networks.test(debian), HOSTNAME)


def processor_time(host: Target) -> dict[str, float]:
    """Return the processor seconds of each unit: of running processes, and of children they waited for."""
    total: dict[str, float] = defaultdict(float)
    for unit, user, kernel in _used(host):
        total[unit] += user + kernel
    return total


def kernel_time(host: Target) -> float:
    """Return the part of these seconds that all units together spent in system calls."""
    return sum(kernel for unit, _, kernel in _used(host) if unit)


def machine_time(host: Target) -> float:
    """Return the processor seconds of the whole machine, with interrupts and the kernel's own threads."""
    user, nice, kernel, _idle, _waiting, *interrupts = map(
        int, host.exec("head -1 /proc/stat").stdout.split()[1:8]
    )
    return (user + nice + kernel + sum(interrupts)) / _HERTZ


def _used(host: Target) -> Iterator[tuple[str, float, float]]:
    """Yield the unit of each process, its own seconds, and those in system calls; see proc(5)."""
    command = "grep -H '' /proc/[0-9]*/stat /proc/[0-9]*/cgroup 2>/dev/null; true"
    ticks: dict[str, list[int]] = {}
    units: dict[str, str] = {}
    for line in host.exec(command).stdout.splitlines():
        path, _, text = line.partition(":")
        _, _, process, file = path.split("/")
        if file == "stat":
            ticks[process] = [*map(int, text.rpartition(")")[2].split()[11:15])]
        elif unit := re.search(r"/([^/]+)[.]service$", text):
            units[process] = re.sub(r"@.*", "", unit[1])
    for process, (user, kernel, user_of_children, kernel_of_children) in ticks.items():
        yield (
            units.get(process, ""),
            (user + user_of_children) / _HERTZ,
            (kernel + kernel_of_children) / _HERTZ,
        )


def settle(host: Target, timeout: float = 120) -> dict[str, float]:
    """Wait until the host is idle, and return its `processor_time`."""
    deadline = time.monotonic() + timeout
    before = processor_time(host)
    while True:
        time.sleep(_STILL)
        now = processor_time(host)
        busy = sum(now[unit] - before[unit] for unit in now if unit)
        if busy < 0.05 * _STILL:
            return now
        if time.monotonic() > deadline:
            raise TargetError(f"{host.name} does not come to rest")
        before = now
