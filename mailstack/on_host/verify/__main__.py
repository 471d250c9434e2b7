"""The program: what to do is JSON in the file that is its argument."""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

from . import bans, readable, services, sockets
from .mail import Mail
from .refused import Refused
from .results import Report, Result, Skip
from .tls import Wanted, certificate

ORDER = ("services", "maps", "tls", "ports", "mail", "refused")
KEPT = Path("/var/lib/mailstack/verify.json")
"""What the last run found, for ``mailstack.status``."""
_AT_ONCE = 6


def checked(plan: dict[str, Any]) -> list[dict[str, Any]]:
    """Do all checks of a plan, several at a time, and return what they found."""
    report = Report()
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for task in _tasks(plan, report):
            pool.submit(report.guarded, "services", task)
    return [asdict(result) for result in sorted(report.results, key=_place)]


def _place(result: Result) -> tuple[int, str]:
    """Return where a result stands: those of mail in the order of time."""
    return ORDER.index(result.group), "" if result.group == "mail" else result.title


def _tasks(plan: dict[str, Any], report: Report) -> list[Callable[[], None]]:
    """Return the checks; the longest first."""
    tasks: list[Callable[[], None]] = []
    refused = Refused(plan, report)
    if plan["domain"]:
        tasks += [Mail(plan, report).all, refused.with_accounts]
        tasks.append(partial(services.login, report, plan["user"], plan["password"], plan["nobody"]))
    if plan["mail"]:
        tasks.append(refused.without_accounts)
    if plan.get("left_out"):
        tasks.append(partial(_left_out, report, plan["left_out"]))
    tasks += [partial(services.probe, report, each) for each in plan["probes"]]
    tasks += [partial(services.table, report, each) for each in plan["maps"]]
    tasks += [partial(services.other_table, report, path) for path in plan["other_maps"]]
    tasks += [partial(_certificate, report, plan, each) for each in plan["tls"]]
    tasks.append(partial(readable.check, report, plan["secrets"], plan["directories"]))
    ssh = os.environ.get("SSH_CONNECTION", "")
    tasks.append(partial(sockets.check, report, plan, ssh))
    if control := plan.get("control"):
        tasks.append(partial(bans.check, report, control))
    return tasks


def _left_out(report: Report, why: str) -> None:
    def skip() -> str:
        raise Skip(why)

    report.check("mail", "messages and maps", skip)


def _certificate(report: Report, plan: dict[str, Any], port: dict[str, Any]) -> None:
    def look() -> str:
        wanted = Wanted(**plan["certificate"])
        return certificate(port["how"], plan["address"], port["number"], plan["hostname"], wanted)

    advice = (
        f"journalctl -b -u '{port['unit']}*' says why it does not answer; if nothing is there, does a"
        " firewall of this host drop it (nft list ruleset)?"
    )
    report.check("tls", f"the certificate on {port['number']} ({port['name']})", look, advice)


def main(path: str) -> int:
    """Read the plan, and print what was found."""
    os.umask(0o077)
    plan = json.loads(Path(path).read_text("utf-8"))
    start = time.time()
    found = {"at": int(start), "checks": checked(plan)}
    found["seconds"] = round(time.time() - start, 2)
    text = json.dumps(found)
    with contextlib.suppress(OSError):  # such as a full disk
        new = KEPT.with_name(f".{KEPT.name}.new")
        new.write_text(text, "utf-8")  # its directory is for root alone
        new.replace(KEPT)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
