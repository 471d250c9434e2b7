"""Services, certificates, disks, bans, and the last checks."""

from __future__ import annotations

import ast
import json
import os
import shutil
import ssl
import subprocess
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .text import Metric, counter, gauge

CERTIFICATES = Path("/etc/ssl/mailstack")
CHECKS = {
    "dns": Path("/var/lib/mailstack/dns-check.json"),
    "verify": Path("/var/lib/mailstack/verify.json"),
}
KEPT = Path("/var/lib/mailstack/certificates.json")
"""Written by the program that keeps the certificates: those of the host, and of the domains that it has."""
_AT_ONCE = 200


def services(units: dict[str, str]) -> Iterator[Metric]:
    """Yield whether each unit runs, and how often systemd has restarted it.

    + units: the unit by the name to show
    """
    ask = ["systemctl", "show", "--property=ActiveState,NRestarts", *units.values()]
    blocks = _run(ask).rstrip("\n").split("\n\n")
    if len(blocks) != len(units):
        raise ValueError(f"systemctl says {len(blocks)} states for {len(units)} units")
    up, restarts = [], []
    for name, block in zip(units, blocks, strict=True):
        state = dict(line.partition("=")[::2] for line in block.split("\n"))
        up.append(({"service": name}, float(state["ActiveState"] in ("active", "reloading"))))
        if "NRestarts" in state:  # which services alone have
            restarts.append(({"service": name}, float(state["NRestarts"])))
    yield gauge("service_up", "Whether a unit of systemd runs.", up)
    yield counter("service_restarts", "Restarts by systemd after a fault.", restarts)


def certificates(known: dict[str, list[float]]) -> Iterator[Metric]:
    """Yield when each certificate ends.

    + known: the end by path, with the time of its file; it is changed
    """
    found: dict[str, list[float]] = {}
    for path in filter(Path.exists, _in_use()):
        name, changed = str(path.relative_to(CERTIFICATES)), path.stat().st_mtime
        if name in known and known[name][0] == changed:
            found[name] = known[name]
        elif len(found.keys() - known.keys()) < _AT_ONCE:
            found[name] = [changed, _end(path)]
    known.clear()
    known.update(found)
    samples = [({"file": name}, end) for name, (_, end) in found.items()]
    text = "When a certificate ends; the file is in /etc/ssl/mailstack."
    yield gauge("certificate_not_after_timestamp_seconds", text, samples)


def _in_use() -> Iterator[Path]:
    """Yield where certificates are; not of domains that are gone, whose files stay."""
    yield from (CERTIFICATES / name for name in ("cert.pem", "rsa-cert.pem"))
    try:
        kept = json.loads(KEPT.read_text("utf-8"))
    except (OSError, ValueError):
        return
    yield from (CERTIFICATES / "domains" / domain / "cert.pem" for domain in sorted(kept))


def _end(path: Path) -> float:
    """Return when a certificate ends; 0, which is long ago, for a file that is none."""
    try:
        told = _run(["openssl", "x509", "-noout", "-enddate", "-in", str(path)])
        return ssl.cert_time_to_seconds(told.partition("=")[2].strip())
    except (OSError, ValueError):
        return 0.0


def disks(paths: dict[str, str]) -> Iterator[Metric]:
    """Yield the room of the file systems.

    + paths: a directory by what is kept in it
    """
    states = {use: os.statvfs(path) for use, path in paths.items() if Path(path).exists()}
    size = [({"of": use}, float(state.f_blocks * state.f_frsize)) for use, state in states.items()]
    free = [({"of": use}, float(state.f_bavail * state.f_frsize)) for use, state in states.items()]
    # Btrfs has no fixed number of them
    files = [({"of": use}, each.f_favail / each.f_files) for use, each in states.items() if each.f_files]
    yield gauge("disk_size_bytes", "The size of the file system.", size)
    yield gauge("disk_free_bytes", "What is free of it.", free)
    yield gauge("disk_free_inodes_ratio", "The part of its inodes that is free.", files)


def checks() -> Iterator[Metric]:
    """Yield when the DNS was checked, and the server proved."""
    samples = [
        ({"check": name}, path.stat().st_mtime if path.exists() else 0.0) for name, path in CHECKS.items()
    ]
    yield gauge("check_timestamp_seconds", "When a check was last run, 0 for never.", samples)


def bans() -> Iterator[Metric]:
    """Yield the number of banned addresses, and how many of mailstack's jail have no effect."""
    found: Counter[str] = Counter()
    if shutil.which("fail2ban-client"):
        jails: list[dict[str, Any]] = ast.literal_eval(_run(["fail2ban-client", "banned"]))
        for jail in jails:
            found.update({name: len(addresses) for name, addresses in jail.items()})
    samples = [({"jail": name}, float(number)) for name, number in found.items()]
    yield gauge("banned_addresses", "Addresses that are banned now.", samples or [({"jail": "none"}, 0.0)])
    banned = found["mailstack"]
    missing = float(banned if banned and not _has_bans() else 0)
    text = "Bans that fail2ban has, while nftables has none of them."
    yield gauge("bans_missing", text, [({}, missing)])


def _has_bans() -> bool:
    """Return whether the rules of nftables have any banned address: somebody may have flushed them."""
    try:
        said = json.loads(_run(["nft", "-j", "list", "table", "inet", "mailstack-bans"]))
    except OSError:  # there is no such table
        return False
    objects: list[dict[str, Any]] = said["nftables"]
    rules = sum("reject" in json.dumps(each["rule"]) for each in objects if "rule" in each)
    return rules > 1 and any(each["set"].get("elem") for each in objects if "set" in each)


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    if done.returncode:
        raise OSError(f"{command[0]}: {done.stderr.strip() or done.returncode}")
    return done.stdout
