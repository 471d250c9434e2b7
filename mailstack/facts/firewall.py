"""The firewall of a host: whether it can have one, and whether its rules are loaded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailstack.facts.fact import Fact, Value
from mailstack.text import lines_of

PROGRAM = "/usr/local/lib/mailstack/firewall"
"""The program on a host that loads the rules."""

_NET_ADMIN = 12
"""The number of the capability in capabilities(7) and <linux/capability.h>."""


@dataclass(frozen=True)
class LoadedRules(Value):
    """The rules of mailstack's firewall in the kernel of a host.

    + possible: whether root may load rules there; in a container perhaps not
    + difference: how the loaded rules differ from those that a run has written, or ``None``
    """

    possible: bool = True
    difference: str | None = None


class FirewallState(Fact[LoadedRules]):
    """Return whether the rules of the firewall are loaded, and why not: ``LoadedRules``."""

    default = LoadedRules

    def command(self) -> str:
        """Ask the kernel and the program that loads the rules."""
        return self.asking([])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return f"""sed -n 's/^CapEff:[[:space:]]*//p' /proc/self/status
if [ -x {PROGRAM} ]; then {PROGRAM} state || echo 'its state is unknown'; else echo 'there is none'; fi"""

    def parse(self, output: str) -> LoadedRules:
        """See ``Question.parse``."""
        lines = lines_of(output)
        if not lines:
            return LoadedRules()
        return LoadedRules(bool(int(lines[0], 16) >> _NET_ADMIN & 1), "; ".join(lines[1:]) or None)


FIREWALL_STATE = FirewallState.of()
