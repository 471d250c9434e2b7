"""The state of a database server as text and as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from mailstack.text import table

_HEAD = ("HOST", "ROLE", "TIMELINE", "STANDBY", "STATE", "BEHIND")


def as_json(host: str, state: Mapping[str, Any] | None, slots: Mapping[str, str]) -> str:
    """Return the state as JSON on one line.

    + state: the answer to ``replication.STATE``, ``None`` without one
    + slots: the names of the other hosts, by their slots
    """
    found = None
    if state is not None:
        found = {
            "role": _role(state),
            "timeline": state["timeline"],
            "following": state["following"],
            "standbys": [
                {
                    "host": slots.get(each["name"], each["name"]),
                    "state": each["state"],
                    "behind": each["behind"],
                }
                for each in state["replicas"]
            ],
        }
    return json.dumps({"host": host, "database": found}) + "\n"


def as_text(host: str, state: Mapping[str, Any] | None, slots: Mapping[str, str]) -> str:
    """Return the state as a table, with a row for each standby of a primary; see ``as_json``."""
    if state is None:
        return table(_HEAD, [(host, "does not answer", "", "", "", "")])
    own = (host, _role(state), str(state["timeline"]))
    replicas = {each["name"]: each for each in state["replicas"]}
    if state["standby"]:
        return table(_HEAD, [(*own, "", state["following"] or "follows none", "")])
    rows = []
    for name in dict.fromkeys([*slots, *replicas]):
        each = replicas.get(name, {"state": "away", "behind": None})
        behind = "" if each["behind"] is None else f"{each['behind']} bytes"
        rows.append((slots.get(name, name), each["state"], behind))
    return table(_HEAD, [(*own, *row) for row in rows or [("", "", "")]])


def _role(state: Mapping[str, Any]) -> str:
    return "standby" if state["standby"] else "primary"
