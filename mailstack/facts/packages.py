"""Which Debian packages are installed."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from mailstack.facts.reading import Probe


def installed_packages(names: Iterable[str]) -> Probe[frozenset[str]]:
    """Those of ``names`` that are wholly installed and configured."""
    query = "dpkg-query -W -f '${Package} ${db:Status-Status}\\n'"
    return Probe(
        name="packages",
        command=f"{query} {shlex.join(names)}; true",
        parse=lambda output: frozenset(
            line.split()[0] for line in output.splitlines() if line.endswith(" installed")
        ),
    )
