"""The last backup. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from mailstack.overview.screen import Section, Trouble, ago, counted, lasting, size

_MAKE = "pyinfra INVENTORY mailstack.backup.now makes one, and says what is wrong"


class Wanted(NamedTuple):
    """The settings.

    + hours: the time between two backups
    + known: whether the password of the repository is in the settings
    """

    repository: str
    hours: int
    known: bool = False


def backup(now: int, wanted: Wanted, records: Mapping[str, Mapping[str, Any]]) -> Section:
    """Return the section about the last backup.

    + records: ``backup``: the result of the last one; ``backup-password``, once a person has the password
    """
    record = records.get("backup", {})
    good, failed = int(record.get("good") or 0), [str(each) for each in record.get("failed", ())]
    damaged = str(record.get("damaged") or "")
    lines = [f"to {wanted.repository}", f"the last good one: {ago(good, now) if good else 'never'}"]
    if good and "messages" in record:
        lines[1] += f"; {counted(record['messages'], 'message')}, {size(record['bytes'])}"
    if checked := record.get("checked"):
        lines.append(f"the repository was checked {lasting(now - checked)} ago")
    lines += [f"failed: {each}" for each in failed[:3]]
    data = {
        "repository": wanted.repository,
        "good": good or None,
        "at": record.get("at"),
        "failed": failed,
        "checked": record.get("checked"),
    }
    return Section(
        "backup", lines, data, [*_troubles(now, wanted, good, failed, damaged), *_unknown(wanted, records)]
    )


def _troubles(now: int, wanted: Wanted, good: int, failed: list[str], damaged: str) -> list[Trouble]:
    if damaged:
        advice = "docs/backup.md says what to do; mailstack.backup.check then reads all of it"
        return [Trouble(f"the repository is damaged: {damaged}", advice)]
    if failed:
        return [Trouble(f"the last one failed: {failed[0]}", "docs/backup.md says what each error means")]
    if not good:
        return [Trouble("there is none yet", _MAKE)]
    if now - good > 2 * wanted.hours * 3600:
        text = f"the last one is {lasting(now - good)} old, and there should be one every {wanted.hours} h"
        return [Trouble(text, "`systemctl list-timers mailstack-backup.timer` on the host; " + _MAKE)]
    return []


def _unknown(wanted: Wanted, records: Mapping[str, Mapping[str, Any]]) -> list[Trouble]:
    if wanted.known or records.get("backup-password"):
        return []
    advice = "pyinfra -y INVENTORY mailstack.backup.password prints it: keep it elsewhere, not on this host"
    return [Trouble("only this host has the password of the backups, and would be lost with it", advice)]
