"""Processes die: by SIGKILL, and because memory runs out."""

from __future__ import annotations

import time

from faults.row import Action, Case, Row
from tests.support import clients, faults
from tests.support.tally import DELIVERED_AGAIN, SENT_AGAIN
from tests.targets.shell import docker

PART = "Processes die"
#: Seconds between two kills, and the most kinds that a service may have.
_PAUSE, _MOST = 1, 40
#: A program that takes memory until the kernel ends it, after the process that it is to end first.
_HOG = "perl -e 'push @all, \"x\" x 1e7 while 1'"


def killed(*units: str) -> Action:
    """Return what kills all processes of each kind of these units, one kind after the other."""

    def kill_each(case: Case) -> None:
        for unit in units:
            kinds = kill(case, faults.unit(case.host, unit))
            print(f"  killed of {unit}, Debian {case.host.debian}: {', '.join(kinds)}", flush=True)

    return kill_each


def kill(case: Case, unit: str) -> list[str]:
    """Kill all processes of each kind of a unit, its master at the end; return the kinds."""
    seen: list[str] = []
    while fresh := {
        kind: found for kind, found in faults.processes(case.host, unit).items() if kind not in seen
    }:
        # the master is the first one, and its death ends others
        kind = list(fresh)[-1]
        case.host.exec(["kill", "-9", *map(str, fresh[kind])], check=False)
        seen.append(kind)
        assert len(seen) < _MOST, seen
        time.sleep(_PAUSE)
    assert seen, f"{unit} has no processes"
    return seen


def out_of_memory(*victims: str) -> Action:
    """Return what makes the kernel end processes of these names, one after the other, for want of memory."""

    def starve(case: Case) -> None:
        case.host.limit_memory("1g")
        for victim in victims:
            mark = f"echo $(pgrep -o -x {victim}) && echo 1000 > /proc/$(pgrep -o -x {victim})/oom_score_adj"
            process = clients.eventually(
                lambda: case.host.exec(mark, check=False).stdout.strip(),  # noqa: B023
                f"no process {victim}",
            )
            case.host.exec(_HOG, check=False)
            assert case.host.exec(f"test -d /proc/{process}", check=False).returncode, f"{victim} lives"
            time.sleep(_PAUSE)

    return starve


def enough_memory(case: Case) -> None:
    """Take the limit away."""
    docker("update", "--memory", "0", "--memory-swap", "-1", case.host.name)


ROWS = (
    Row(
        "postfix-killed",
        "SIGKILL of all processes of each kind of Postfix, one kind after the other, and of its master",
        do=killed("postfix"),
        doubles=(SENT_AGAIN, DELIVERED_AGAIN),
    ),
    Row(
        "dovecot-killed",
        "The same of Dovecot",
        do=killed("dovecot"),
        doubles=(DELIVERED_AGAIN,),
        stops="dovecot",
    ),
    Row("database-killed", "The same of PostgreSQL", do=killed("database"), stops="database"),
    Row(
        "filter-killed",
        "The same of rspamd, Redis, unbound and postsrsd",
        do=killed("rspamd", "redis-server@mailstack", "unbound", "postsrsd"),
    ),
    Row(
        "no-memory",
        "No memory is left: the kernel ends smtpd, cleanup, qmgr, lmtp, Dovecot's auth, PostgreSQL",
        do=out_of_memory("smtpd", "cleanup", "qmgr", "lmtp", "auth", "postgres"),
        undo=enough_memory,
        doubles=(SENT_AGAIN, DELIVERED_AGAIN),
        stops="dovecot",
    ),
)
