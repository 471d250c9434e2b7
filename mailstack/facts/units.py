"""The state of the server's systemd units, and changes that their daemons have not read yet."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath

from mailstack.facts.fact import Fact, Names, Value, listed
from mailstack.shell import script
from mailstack.text import lines_of

PENDING = "/var/lib/mailstack/pending"
"""The directory of marks ``UNIT.reload`` and ``UNIT.restart`` for changes that the unit has not read."""


WATCHERS = (".path", ".timer", ".socket")
"""The ends of names of units that watch a path, the time or a socket: systemd does, without a process."""


def drop_in_path(unit: str) -> str:
    """Return the path of the drop-in that mailstack writes for a unit, see systemd.unit(5)."""
    return f"/etc/systemd/system/{unit}.service.d/mailstack.conf"


@dataclass(frozen=True)
class Units(Value):
    """The state of a host's units.

    + properties: ``systemctl show`` of each unit by its name
    + marks: the names of the marks in ``PENDING``
    + times: the ctime and the mtime of each file by its path, in seconds since 1970. A package sets the mtime
    + listeners: listening sockets: TCP ports as numbers in text, also as ``127.0.0.1:PORT`` if it is one
      of that address, and Unix-domain sockets by their paths
    + halted: the numbers of processes that a signal has stopped (``T`` in proc(5))
    + masters: for each PID file of a live process: the process's number, its name, and its service
    + unsound: by the name of a unit, why it must be restarted though it runs
    """

    properties: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    marks: frozenset[str] = frozenset()
    times: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    listeners: frozenset[str] = frozenset()
    halted: frozenset[str] = frozenset()
    masters: Mapping[str, tuple[str, str, str]] = field(default_factory=dict)
    unsound: Mapping[str, str] = field(default_factory=dict)

    def is_active(self, unit: str) -> bool:
        """Return whether systemd calls the unit active."""
        return self.properties.get(unit, {}).get("ActiveState") in ("active", "reloading")

    def is_enabled(self, unit: str) -> bool:
        """Return whether the unit starts at boot."""
        return self.properties.get(unit, {}).get("UnitFileState") == "enabled"

    def is_masked(self, unit: str) -> bool:
        """Return whether the unit can't be started."""
        return self.properties.get(unit, {}).get("UnitFileState") in ("masked", "masked-runtime")

    def is_halted(self, unit: str) -> bool:
        """Return whether a signal has stopped its master, until another signal continues it."""
        return self.properties.get(unit, {}).get("MainPID") in self.halted

    def stray(self, unit: str, program: str, pid_file: str) -> str | None:
        """Return the process in the PID file, if it runs the program outside the unit."""
        process, name, service = self.masters.get(pid_file, ("", "", ""))
        # proc(5): the kernel keeps 15 letters of the name
        return process if name == PurePosixPath(program).name[:15] and service != unit else None

    def is_wanted_by(self, unit: str, other: str) -> bool:
        """Return whether the unit starts with the other; it may be enabled for an older release's unit."""
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
        """Return the reason why an active unit does not work, or ``None``.

        systemd calls a service active as long as any of its processes lives.

        + program: the path of its master's program
        + unit_file: the unit file, for a service of mailstack
        + listens: the expected listening sockets
        """
        if unit.endswith(WATCHERS):
            return None
        properties = self.properties.get(unit, {})
        if properties.get("Type") == "oneshot":  # it has done its work, and no process stays
            return None
        if properties.get("MainPID", "0") == "0":
            return "its master is dead"
        if self.is_halted(unit):
            return "its master was stopped by a signal"
        started = properties.get("ExecMainStartTimestamp", "").removeprefix("@")
        dates = {program: self.times.get(program or "", (0, 0))[0]}
        dates[unit_file] = self.times.get(unit_file or "", (0, 0))[1]
        for path, date in dates.items():
            if started.isdigit() and int(started) < date:
                return f"{path} is newer than the process"
        missing = [each for each in listens if each not in self.listeners]
        return f"it does not listen on {', '.join(missing)}" if missing else self.unsound.get(unit)


_NONE: Mapping[str, str] = {}
_PROPERTIES = (
    "DropInPaths,Id,ActiveState,UnitFileState,WantedBy,NeedDaemonReload,MainPID,ExecMainStartTimestamp,Type,"
    "ActiveEnterTimestamp,ActiveExitTimestamp,Result"
)
_UNIT, _FILE, _PID_FILE, _SOUND = "unit", "file", "pid file", "sound "


class UnitStates(Fact[Units]):
    """Return the state of units, the marks, and the listening sockets: ``Units``.

    + units: the names of units, without ``.service``, but with ``.path`` and ``.timer``
    + files: the paths of programs and unit files, for their age
    + pid_files: the paths of PID files, whose process may not be the unit's
    + sound: by the name of a unit, a shell script that prints why it must be restarted, or nothing
    """

    default = Units

    def command(
        self, units: Names, files: Names = (), pid_files: Names = (), sound: Mapping[str, str] = _NONE
    ) -> str:
        """Ask systemd for these units, and stat(1) for the files."""
        asked = {_UNIT: units, _FILE: files, _PID_FILE: pid_files}
        asked |= {f"{_SOUND}{unit}": text for unit, text in sound.items()}
        return self.asking((kind, name) for kind, names in asked.items() for name in listed(names))

    @staticmethod
    def ask(about: Sequence[tuple[str, str]]) -> str:
        """See ``Question.ask``."""
        units = (name for kind, name in about if kind == _UNIT)
        names = shlex.join(name if name.endswith(WATCHERS) else f"{name}.service" for name in units)
        pid_files = [path for kind, path in about if kind == _PID_FILE]
        checks = [(kind.removeprefix(_SOUND), text) for kind, text in about if kind.startswith(_SOUND)]
        sound = "\n".join(f"printf '%s\\t%s\\n' {shlex.quote(unit)} \"$({text}\n)\"" for unit, text in checks)
        files = shlex.join(sorted(path for kind, path in about if kind == _FILE) or ["/"])
        return f"""ls {PENDING}; echo =
systemctl show --timestamp=unix -p {_PROPERTIES} {names}; echo =
stat -c '%Z %Y %n' {files}; echo =
{script("listeners")}
echo =
{script("masters", *pid_files)}
echo =
{sound}"""

    def parse(self, output: str) -> Units:
        """See ``Question.parse``."""
        marks, shown, installed, listening, processes, checked = _sections(output)
        properties = {}
        for block in "\n".join(shown).split("\n\n"):
            values = dict(line.split("=", 1) for line in lines_of(block) if "=" in line)
            name = values.get("Id", "").removesuffix(".service")
            if (_UNIT, name) in self.about:
                properties[name] = values
        times = (line.split(" ", 2) for line in installed)
        # Debian uses /var/run, which is a link to /run
        sockets = (line.replace("/var/run/", "/run/", 1) for line in listening if line.startswith("/"))
        masters = [line.split("\t") for line in processes if "\t" in line]
        unsound = dict(line.split("\t", 1) for line in checked if "\t" in line)
        found = (line.rpartition(":") for line in listening if line and "/" not in line)
        ports = (f"{address}{colon}{int(port, 16)}" for address, colon, port in found)
        return Units(
            properties,
            frozenset(marks),
            {path: (int(put), int(written)) for put, written, path in times if (_FILE, path) in self.about},
            frozenset([*sockets, *ports]),
            frozenset(line for line in processes if line.isdigit()),
            {path: (pid, name, service) for pid, path, name, service in masters},
            {unit: why for unit, why in unsound.items() if why},
        )


def _sections(output: str) -> list[list[str]]:
    """Return the lines of the six answers."""
    sections: list[list[str]] = [[], [], [], [], [], []]
    number = 0
    for line in lines_of(output):
        if line == "=":
            number += 1
        else:
            sections[number].append(line)
    return sections
