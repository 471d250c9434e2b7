"""Which Debian packages are installed."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from mailstack.facts.reading import Probe


def installed_packages(names: Iterable[str]) -> Probe[frozenset[str]]:
    """The packages that are wholly installed and configured, among ``names`` and perhaps others."""
    return Probe(_states_of, tuple(names), _parse)


def _states_of(names: Sequence[str]) -> str:
    return f"dpkg-query -W -f '${{Package}} ${{db:Status-Status}}\\n' {shlex.join(names)}"


def _parse(output: str) -> frozenset[str]:
    return frozenset(line.split()[0] for line in output.splitlines() if line.endswith(" installed"))
