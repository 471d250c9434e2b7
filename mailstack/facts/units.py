"""How the systemd units of the server stand, and which changes they have not seen yet."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from mailstack.facts.reading import Probe

PENDING = "/var/lib/mailstack/pending"
"""A mark ``UNIT.reload`` or ``UNIT.restart`` lies here from before a change until the unit has taken it."""


class UnitStates(NamedTuple):
    """``systemctl show`` of each unit by its name, and the names of the marks in ``PENDING``."""

    properties: Mapping[str, Mapping[str, str]]
    marks: frozenset[str]

    def is_active(self, unit: str) -> bool:
        """Whether the unit runs."""
        return self.properties.get(unit, {}).get("ActiveState") in ("active", "reloading")

    def is_enabled(self, unit: str) -> bool:
        """Whether the unit starts at boot."""
        return self.properties.get(unit, {}).get("UnitFileState") == "enabled"


def unit_states(units: Iterable[str]) -> Probe[UnitStates]:
    """Properties of the units (named without ``.service``), and the marks."""
    names = tuple(units)
    return Probe(_states_of, names, lambda output: _parse(output, names))


def _states_of(units: Sequence[str]) -> str:
    names = shlex.join(f"{unit}.service" for unit in units)
    return f"ls {PENDING}; echo; systemctl show -p Id,ActiveState,UnitFileState,NeedDaemonReload {names}"


def _parse(output: str, units: Sequence[str]) -> UnitStates:
    """Of all units that were asked for together, these."""
    marks, _, shown = output.partition("\n\n") if not output.startswith("\n") else ("", "", output)
    properties = {}
    for block in shown.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if (name := values.get("Id", "").removesuffix(".service")) in units:
            properties[name] = values
    return UnitStates(properties, frozenset(marks.split()))
