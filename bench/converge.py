"""The time of a run: first, unchanged, and with one change; local and remote. See `many` for many hosts.

mailstack is compared with a minimal shell script (the floor), an Ansible playbook (the peer), and pyinfra's
own operations. All deploy the same server (bench/kit.py); each first deploy is checked.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from dataclasses import replace
from itertools import count

from bench.fleet import DEBIAN, Fleet, fleet
from bench.line import Line, line
from bench.report import GOAL_COLUMNS, RUNS, Table, goal, medians
from bench.runs import Runs
from tests.support import bulk_accounts
from tests.targets.shell import step

PART = "Converge"
_FAR = 50

Goals = list[list[str]]
Way = Callable[[Mapping[str, object]], float]


def measure() -> list[Table]:
    """Measure, and return all tables, the one with the goals first."""
    with fleet() as targets:
        first, deployed, goals = _first_deploys(targets)
        tables = [first]
        for part in (_near, _far, _crowd):
            with step(part.__doc__ or ""):
                table, more = part(deployed)
            tables.append(table)
            goals += more
    notes = f"Debian {DEBIAN}. Medians of {RUNS}, taken in turns."
    return [Table("Goals", GOAL_COLUMNS, goals, notes), *tables]


def _first_deploys(targets: Fleet) -> tuple[Table, dict[str, Runs], Goals]:
    """Measure first deploys; also return the last target of each kind except the floor."""
    ways: dict[str, Callable[[Runs], float]] = {
        "floor": Runs.floor,
        "ours": Runs.ours,
        "plain": Runs.plain,
        "playbook": Runs.playbook,
    }
    times: dict[str, list[float]] = {kind: [] for kind in ways}
    deployed: dict[str, Runs] = {}
    for _ in range(RUNS):
        for kind, way in ways.items():
            with step(f"first deploy: {kind}"):
                runs = targets.bare(kind)
                times[kind].append(way(runs))
                runs.kit.check(runs.target)
            deployed[kind] = runs
    deployed.pop("floor").target.remove()
    floor = statistics.median(times["floor"])
    rows = [
        [_NAMES[kind], _seconds(found := statistics.median(each)), f"{found / floor:.2f}"]
        for kind, each in times.items()
    ]
    notes = "Package lists are fresh, and all packages are downloaded already: no mirror is measured."
    ratio = statistics.median(times["ours"]) / floor
    return (
        Table("First deploy over @docker", ("by", "seconds", "times the floor"), rows, notes),
        deployed,
        [goal("first deploy", "at most 1.10 times the floor", f"{ratio:.2f} times", ratio <= 1.10)],
    )


def _near(deployed: dict[str, Runs]) -> tuple[Table, Goals]:
    """Measure runs over @docker."""
    ways = {kind: _Changing(way) for kind, way in _ways(deployed).items()}
    measured: dict[str, Callable[[], float]] = {"empty": deployed["ours"].nothing}
    for kind, way in ways.items():
        measured |= {kind: way.again, f"{kind}, one": way.changed}
    found = medians(measured)
    for way in ways.values():
        way.restore()
    empty = found["empty"]
    rows = [[_NAMES[kind], _seconds(each), f"{each / empty:.2f}"] for kind, each in found.items()]
    one, faster = found["ours, one"] / empty, found["playbook"] / found["ours"]
    what = "nothing to change, over @docker"
    return (
        Table("Later runs over @docker", ("by", "seconds", "times the empty run"), rows),
        [
            goal(what, "20 times faster than the playbook", f"{faster:.1f} times", faster >= 20),
            goal("one setting changed", "at most 2.5 times the empty run", f"{one:.2f} times", one <= 2.5),
        ],
    )


def _far(deployed: dict[str, Runs]) -> tuple[Table, Goals]:
    """Measure runs over @ssh, without and with a delay."""
    ours, playbook = deployed["ours"], deployed["playbook"]
    found = medians(_over_ssh(ours, playbook))
    with line(ours.target.ip, 22, _FAR / 1000) as near, line(playbook.target.ip, 22, _FAR / 1000) as other:
        ways = _over_ssh(replace(ours, line=near.port), replace(playbook, line=other.port))
        late = medians(ways)
        trips = {kind: _round_trips(other if kind == "playbook" else near, way) for kind, way in ways.items()}
    commands = {"empty": "0", "ours": str(ours.commands("ssh")), "playbook": ""}
    rows = [
        [_NAMES[kind], _seconds(found[kind]), _seconds(late[kind]), str(trips[kind]), commands[kind]]
        for kind in ways
    ]
    faster = late["playbook"] / late["ours"]
    what = f"nothing to change, over @ssh with {_FAR} ms"
    columns = ("by", "no delay, seconds", f"{_FAR} ms, seconds", "round trips", "commands")
    notes = (
        f"What the target sends comes {_FAR} ms late, by a relay (bench/line.py), which also counts the "
        "round trips; those of the empty run are SSH's own: the connection, the keys, the login, the end."
    )
    return (
        Table("Nothing to change over @ssh", columns, rows, notes),
        [
            goal(what, "at most 12 round trips", str(trips["ours"]), trips["ours"] <= 12),
            goal(what, "30 times faster than the playbook", f"{faster:.1f} times", faster >= 30),
        ],
    )


def _over_ssh(ours: Runs, playbook: Runs) -> dict[str, Callable[[], float]]:
    return {
        "empty": lambda: ours.nothing("ssh"),
        "ours": lambda: ours.ours(connector="ssh"),
        "playbook": lambda: playbook.playbook(connector="ssh"),
    }


def _round_trips(line: Line, way: Callable[[], float]) -> int:
    before = line.round_trips
    way()
    return line.round_trips - before


def _ways(deployed: dict[str, Runs]) -> dict[str, Way]:
    return {
        "ours": deployed["ours"].ours,
        "plain": deployed["plain"].plain,
        "playbook": deployed["playbook"].playbook,
    }


class _Changing:
    """A way to deploy repeatedly: with the settings of the last run, or with a changed one."""

    def __init__(self, way: Way) -> None:
        self._way = way
        self._settings: dict[str, object] = {}
        self._sizes = count(20_000_000, 1_000_000)

    def again(self) -> float:
        return self._way(self._settings)

    def changed(self) -> float:
        self._settings = {"mail_message_size_limit": next(self._sizes)}
        return self.again()

    def restore(self) -> None:
        self._settings = {}
        self.again()


def _crowd(deployed: dict[str, Runs]) -> tuple[Table, Goals]:
    """Measure runs with 2,000 users and 3,000 aliases."""
    ours = deployed["ours"]
    people = bulk_accounts.data()
    few_queries = ours.queries()
    moving = ours.ours(people)
    found = medians({"few": ours.ours, "crowd": lambda: ours.ours(people)})
    queries = ours.queries(people)
    more = found["crowd"] - found["few"]
    rows = [
        ["ten users, nothing to change", _seconds(found["few"]), str(few_queries)],
        ["the crowd moves in (once)", _seconds(moving), ""],
        ["the crowd, nothing to change", _seconds(found["crowd"]), str(queries)],
    ]
    what = f"{bulk_accounts.USERS:,} users, {bulk_accounts.ALIASES:,} aliases, nothing to change"
    notes = "Queries are those of the whole run: the roles, the schema, and one for all accounts."
    return (
        Table("A crowd", ("", "seconds", "queries"), rows, notes),
        [
            goal(what, "at most 1.5 s more than ten users", f"{more:.2f} s more", more <= 1.5),
            goal(what, "one query", f"{queries - few_queries} more queries", queries == few_queries),
        ],
    )


_NAMES = {
    "floor": "the floor: a shell script",
    "empty": "pyinfra's empty run",
    "ours": "mailstack",
    "plain": "pyinfra's own operations",
    "playbook": "the Ansible playbook",
    "ours, one": "mailstack, one setting changed",
    "plain, one": "pyinfra's own operations, one setting changed",
    "playbook, one": "the Ansible playbook, one setting changed",
}


def _seconds(value: float) -> str:
    return f"{value:.2f}"
