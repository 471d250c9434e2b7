"""Backups as text and as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from mailstack.overview.screen import size
from mailstack.text import table

_HEAD = ("ID", "MADE", "MESSAGES", "MAIL", "QUEUE")


def as_json(host: str, backups: Sequence[Mapping[str, Any]]) -> str:
    """Return the backups of a host as one JSON object."""
    return json.dumps({"host": host, "backups": [*backups]}, indent=2) + "\n"


def as_text(host: str, backups: Sequence[Mapping[str, Any]]) -> str:
    """Return the backups of a host for a person, the newest first; times are in UTC."""
    if not backups:
        return f"{host}: there is no backup\n"
    rows = [
        (
            str(each["id"]),
            str(each["at"]).replace("T", " "),
            f"{each['messages']:,}",
            size(each["bytes"]),
            str(each["queued"]),
        )
        for each in backups
    ]
    count = "1 backup" if len(rows) == 1 else f"{len(rows)} backups"
    return f"{host}: {count}\n{table(_HEAD, rows)}"


def made(result: Mapping[str, Any]) -> str:
    """Return the result of a backup as a line."""
    mail = f"{result['messages']:,} messages, {size(result['bytes'])}; " if "messages" in result else ""
    return f"backup {result.get('snapshot', '')}: {mail}{result.get('seconds', 0)} s"


def brought_back(result: Mapping[str, Any]) -> str:
    """Return the result of a restore as a line."""
    parts = [f"backup {result['snapshot']} of {str(result['made']).replace('T', ' ')} is back"]
    if result.get("into"):
        parts[0] += f", in the folder {result['into']}"
    if "messages" in result:
        parts.append(f"{result['messages']:,} messages")
    if result.get("held"):
        parts.append(
            f"{result['held']} that waited in the queue are on hold: `postsuper -H ALL` lets them go, also"
            " those that were delivered after the backup"
        )
    if result.get("dropped"):
        parts.append(
            f"{result['dropped']} that Postfix had not yet taken up are in /var/lib/mailstack/backup/maildrop"
        )
    if result.get("aside"):
        parts.append(f"mail that was here is in {result['aside']}")
    return f"{'; '.join(parts)}; {result['seconds']} s"
