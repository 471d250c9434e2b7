"""What mailstack itself computes for the hosts of one server, in the groups `db`, `mx` and `proxy`, `imap`.

No host is needed: each looks at all others, and declares its files, units and ports.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial

from bench.report import Table, medians
from mailstack import Settings
from mailstack.components.component import site_of, with_required
from mailstack.components.converge import groups
from mailstack.components.mail_server import wanted
from mailstack.facts.platform import RELEASES
from mailstack.topology import Node, Role, Topology
from mailstack.topology_rules import check

_RUNS = 3


def nodes(number: int) -> tuple[Node, ...]:
    """Return the hosts of a server: two with the database, and of ten others two that pass mail on."""
    roles: list[tuple[Role, ...]] = [("db",), ("db",)]
    roles += [("mx", "proxy") if each % 5 == 0 else ("imap",) for each in range(number - len(roles))]
    return tuple(
        Node(f"host{each}.example.org", role, f"198.51.{100 + each // 250}.{1 + each % 250}")
        for each, role in enumerate(roles)
    )


def table(hosts: Sequence[int]) -> Table:
    """Return the seconds of the checks and declarations, by hosts."""
    found = medians({number: partial(_declare, number) for number in hosts}, _RUNS)
    rows = [
        ["all hosts", *(f"{found[number]:.2f}" for number in hosts)],
        ["one of them", *(f"{found[number] / number:.3f}" for number in hosts)],
    ]
    return Table(
        "What mailstack computes for the hosts of one server",
        ("", *(f"hosts: {number}" for number in hosts)),
        rows,
        f"Seconds, without pyinfra and without a host; medians of {_RUNS}. All hosts are of one server, in "
        "the groups db, mx and proxy, imap. Each checks the inventory, and declares its files.",
    )


def _declare(number: int) -> float:
    start = time.process_time()
    every = nodes(number)
    for node in every:
        settings = Settings(mail_hostname=node.name, mail_address=node.address, mail_firewall=True)
        topology = Topology(node, every, frozenset(each.name for each in every))
        check(settings, topology)
        site = site_of(settings, topology)
        groups(
            site,
            RELEASES[-1],
            [each for each in with_required(wanted(site), site) if each.is_installed(site)],
        )
    return time.process_time() - start
