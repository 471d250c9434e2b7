"""How the systemd units of the server stand, and which changes they have not seen yet."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from mailstack.facts.fact import Fact, Names, Value, listed
from mailstack.shell import script

PENDING = "/var/lib/mailstack/pending"
"""A mark ``UNIT.reload`` or ``UNIT.restart`` lies here from before a change until the unit has taken it."""


def drop_in_path(unit: str) -> str:
    """Return the path of the drop-in that mailstack writes for a unit, see systemd.unit(5)."""
    return f"/etc/systemd/system/{unit}.service.d/mailstack.conf"


@dataclass(frozen=True)
class Units(Value):
    """What a host says of its units.

    + properties: ``systemctl show`` of each unit by its name
    + marks: the names of the marks in ``PENDING``
    + times: when each file was put there, and when it was written, in seconds since 1970, by its path. A
      package brings the second along
    + listeners: what is listened on: TCP ports as numbers in text, Unix-domain sockets by their paths
    """

    properties: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    marks: frozenset[str] = frozenset()
    times: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    listeners: frozenset[str] = frozenset()

    def is_active(self, unit: str) -> bool:
        """Return whether systemd takes the unit for running."""
        return self.properties.get(unit, {}).get("ActiveState") in ("active", "reloading")

    def is_enabled(self, unit: str) -> bool:
        """Return whether the unit starts at boot."""
        return self.properties.get(unit, {}).get("UnitFileState") == "enabled"

    def is_wanted_by(self, unit: str, other: str) -> bool:
        """Return whether the unit starts with the other: it may be enabled for that of an older release."""
        wanted_by = self.properties.get(unit, {}).get("WantedBy", "").split()
        return (
            not wanted_by or f"{other}.service" in wanted_by
        )  # systemd shows none while the other is masked

    def misses_drop_in(self, unit: str) -> bool:
        """Return whether systemd has not read the drop-in; ``NeedDaemonReload`` overlooks a new directory."""
        return drop_in_path(unit) not in self.properties.get(unit, {}).get("DropInPaths", "").split()

    def fault(
        self, unit: str, program: str | None, unit_file: str | None, listens: Iterable[str]
    ) -> str | None:
        """Return why an active unit does not serve as it should, or ``None``.

        systemd takes a service for active as long as one of its processes lives, whichever that is.

        + program: what its master runs
        + unit_file: of a service of mailstack's own
        + listens: what it should listen on
        """
        properties = self.properties.get(unit, {})
        if properties.get("MainPID", "0") == "0":
            return "its master is dead"
        started = properties.get("ExecMainStartTimestamp", "").removeprefix("@")
        dates = {program: self.times.get(program or "", (0, 0))[0]}
        dates[unit_file] = self.times.get(unit_file or "", (0, 0))[1]
        for path, date in dates.items():
            if started.isdigit() and int(started) < date:
                return f"{path} is newer than the process"
        missing = [each for each in listens if each not in self.listeners]
        return f"it does not listen on {', '.join(missing)}" if missing else None


_PROPERTIES = (
    "DropInPaths,Id,ActiveState,UnitFileState,WantedBy,NeedDaemonReload,MainPID,ExecMainStartTimestamp"
)
_UNIT, _FILE = "unit", "file"


class UnitStates(Fact[Units]):
    """Return how units stand, the marks, and what is listened on: ``Units``.

    + units: named without ``.service``
    + files: whose age matters: programs and unit files
    """

    default = Units

    def command(self, units: Names, files: Names = ()) -> str:
        """Ask systemd for these units, and stat(1) for the files."""
        return self.asking(
            [*((_UNIT, unit) for unit in listed(units)), *((_FILE, path) for path in listed(files))]
        )

    @staticmethod
    def ask(about: Sequence[tuple[str, str]]) -> str:
        """See ``Question.ask``."""
        names = shlex.join(f"{name}.service" for kind, name in about if kind == _UNIT)
        files = shlex.join(sorted(path for kind, path in about if kind == _FILE) or ["/"])
        return f"""ls {PENDING}; echo =
systemctl show --timestamp=unix -p {_PROPERTIES} {names}; echo =
stat -c '%Z %Y %n' {files}; echo =
{script("listeners")}"""

    def parse(self, output: str) -> Units:
        """See ``Question.parse``."""
        marks, shown, installed, listening = _sections(output)
        properties = {}
        for block in "\n".join(shown).split("\n\n"):
            values = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
            name = values.get("Id", "").removesuffix(".service")
            if (_UNIT, name) in self.about:
                properties[name] = values
        times = (line.split(" ", 2) for line in installed)
        # Debian says /var/run, which is a link to /run
        sockets = (line.replace("/var/run/", "/run/", 1) for line in listening if line.startswith("/"))
        ports = (str(int(line, 16)) for line in listening if line and "/" not in line)
        return Units(
            properties,
            frozenset(marks),
            {path: (int(put), int(written)) for put, written, path in times if (_FILE, path) in self.about},
            frozenset([*sockets, *ports]),
        )


def _sections(output: str) -> list[list[str]]:
    """Return the lines of the four answers."""
    sections: list[list[str]] = [[], [], [], []]
    number = 0
    for line in output.splitlines():
        if line == "=":
            number += 1
        else:
            sections[number].append(line)
    return sections
