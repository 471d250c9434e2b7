"""The processor time of a message with the filter, and without it.

Both servers get messages from few sessions at once. At full load they would do different things: the server
without the filter takes more messages a second, and delivers several over one connection.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from contextlib import ExitStack

from bench import servers
from bench.report import GOAL_COLUMNS, Table, goal
from bench.traffic import Round, run
from tests.targets import networks

PART = "The deployed server: the cost of the filter"
RUNS = 5
MESSAGES = 400
#: A session for each.
RECIPIENTS = servers.USERS[:2]
_GOAL = 1.35
#: Units that take a notable part of a message's time.
_UNITS = ("postfix", "dovecot", "postgresql", "rspamd", "redis-server", "unbound", "systemd-journald")


def measure() -> list[Table]:
    """Measure both Debian releases."""
    rows, goals = [], []
    for debian in (13, 12):
        networks.test(debian).ensure()
        with ExitStack() as stack:
            make = stack.enter_context(servers.ours(debian))
            hosts = {
                "without": make("ours"),
                "with the filter": stack.enter_context(servers.filtering(debian, make)),
            }
            for host in hosts.values():
                run(host, 100)
            rounds: dict[str, list[Round]] = defaultdict(list)
            for _ in range(RUNS):
                for name, host in hosts.items():
                    rounds[name].append(run(host, MESSAGES, len(RECIPIENTS), RECIPIENTS))
        costs = {name: statistics.median(each.whole_cost for each in found) for name, found in rounds.items()}
        rows += [[str(debian), name, *_row(found)] for name, found in rounds.items()]
        share = costs["with the filter"] / costs["without"]
        goals.append(
            goal(f"with the filter, Debian {debian}", f"{_GOAL} times", f"{share:.2f}", share <= _GOAL)
        )
    return [
        Table(
            "Processor time of a message, ms",
            ("Debian", "server", *_UNITS, "all"),
            rows,
            f"{MESSAGES} messages of a stranger to {len(RECIPIENTS)} mailboxes, in a session for each; "
            f"medians of {RUNS} rounds, in turns. The last column has mailstack's small services too.",
        ),
        Table("Goals", GOAL_COLUMNS, goals),
    ]


def _row(rounds: list[Round]) -> list[str]:
    costs = [statistics.median(each.cost[unit] for each in rounds) for unit in _UNITS]
    return [f"{cost:.1f}" for cost in (*costs, statistics.median(each.whole_cost for each in rounds))]
