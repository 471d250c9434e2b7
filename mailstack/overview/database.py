"""The database server, and its replicas. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailstack.overview.screen import Section, Trouble, listed, size

_CONNECTIONS = 80
_BEHIND = 256 * 2**20


def server(found: Mapping[str, Any] | None, unit: str) -> Section:
    """Return the section about a server on this host, or that of ``mail_db_dsn``.

    + found: the answer to ``Dialect.health``, ``None`` without one
    + unit: its service
    """
    if found is None:
        advice = f"`journalctl -u {unit}` on its host says why; a deploy starts it. Mail waits meanwhile"
        return Section("database", ["does not answer"], None, [Trouble("it does not answer", advice)])
    connections, limit = found["connections"], found["limit"]
    lines = [
        f"{found['version']}, {size(found['bytes'] or 0)}, {connections} of {limit} connections"
        + (", a replica" if found.get("standby") else "")
    ]
    troubles = []
    if connections * 100 > limit * _CONNECTIONS:
        advice = "More than that are refused: raise max_connections, or find the client that keeps them"
        troubles.append(Trouble(f"{connections} of {limit} connections are in use", advice))
    for replica in found.get("replicas") or ():
        behind = replica["behind"]
        name = f"{replica['name']} at {replica['address'] or 'this host'}"
        lines.append(f"replica {name}: {replica['state']}, {size(behind or 0)} behind")
        if replica["state"] not in ("streaming", "backup") or (behind or 0) > _BEHIND:
            troubles.append(
                Trouble(f"the replica {name} is behind", "Look at its log, and at the line between")
            )
    if idle := found.get("idle_slots"):
        text = f"nothing reads the replication slot {listed(idle)}, and its WAL fills the disk"
        advice = "Start the replica, or remove the slot: SELECT pg_drop_replication_slot('NAME')"
        troubles.append(Trouble(text, advice))
        lines.append(f"idle slots: {listed(idle)}")
    return Section("database", lines, dict(found), troubles)


def client(place: str, answers: bool) -> Section:
    """Return the section about a server on another host.

    + place: its address
    """
    if answers:
        return Section("database", [f"at {place}: answers"], {"at": place, "answers": True})
    advice = (
        "Start it, or see whether this host may reach it (a firewall, its password); mail waits meanwhile"
    )
    troubles = [Trouble(f"the database at {place} does not answer", advice)]
    return Section("database", [f"at {place}: does not answer"], {"at": place, "answers": False}, troubles)
