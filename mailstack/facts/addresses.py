"""The IP addresses of a host."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Sequence

from mailstack.facts.fact import Question
from mailstack.text import lines_of

_PRIVATE = [
    ipaddress.ip_network(network)
    for network in ("10.0.0.0/8", "100.64.0.0/10", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16")
] + [ipaddress.ip_network(network) for network in ("fc00::/7", "fe80::/10", "::1/128", "127.0.0.0/8")]
"""Networks that the world does not reach: RFC 1918, 6598, 3927, 4193, 4291. Those of documentation and of
benchmarks are not among them, as tests use these."""
_PASSING = {"temporary", "deprecated", "tentative", "dadfailed"}
"""The marks of addresses that the host will not keep (ip-address(8))."""


class HostAddresses(Question[tuple[str, ...]]):
    """Return the addresses of a host's interfaces that last: IPv4 first, without those of its own network."""

    def command(self) -> str:
        """Ask the kernel."""
        return self.asking([])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return "if command -v ip >/dev/null; then ip -o addr show scope global; else hostname -I; fi"

    def parse(self, output: str) -> tuple[str, ...]:
        """See ``Question.parse``."""
        found = []
        for line in lines_of(output):
            words = line.split()
            if not _PASSING.isdisjoint(words):
                continue
            after = [words[i + 1] for i, word in enumerate(words[:-1]) if word in ("inet", "inet6")]
            found += after or [word for word in words if ":" in word[1:-1] or word.count(".") == 3]
        return tuple(sorted({each.partition("/")[0] for each in found}, key=_order))


def public(addresses: Iterable[str]) -> tuple[str, ...]:
    """Return those of these addresses that the world can reach."""
    return tuple(
        address
        for address in addresses
        if not any(ipaddress.ip_address(address) in network for network in _PRIVATE)
    )


def _order(address: str) -> tuple[int, str]:
    return ipaddress.ip_address(address).version, address


HOST_ADDRESSES = HostAddresses.of()
