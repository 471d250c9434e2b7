"""Networks with addresses that are not private (RFC 5737, RFC 2544, RFC 3849).

Spam filters and postscreen trust private addresses, so tests with these would test nothing.
"""

from __future__ import annotations

import ipaddress
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.targets.shell import TargetError, docker, locked

#: What the names of the tests' containers, networks and images begin with. Two checkouts that test on one
#: machine at the same time need a name and a range each.
TEST_NAME = os.environ.get("MAILSTACK_TEST_NAME", "mailstack")
#: Test workers (`pytest -n`) that run side by side have containers and networks of their own; at most eight.
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
_WORKERS = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
WORKER_NAME = f"{TEST_NAME}-{_WORKER}" if _WORKER else TEST_NAME
#: Where a machine uses one of these itself, as cloud machines do, the environment names another.
TEST_SUBNET = os.environ.get("MAILSTACK_TEST_SUBNET", "198.51.100.0/24")
DEMO_SUBNET = os.environ.get("MAILSTACK_DEMO_SUBNET", "198.19.25.0/24")

_Range = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Network:
    """A Docker network of the targets: its name, its IPv4 and its IPv6 range."""

    name: str
    subnet: str
    subnet6: str

    def ensure(self) -> str:
        """Make the network if it is missing, and return its name. `TargetError` if the range is in use."""
        with locked("networks"):
            found = docker("network", "inspect", self.name, check=False)
            if found.returncode == 0:
                return self._checked(json.loads(found.stdout)[0])
            self._free_range()
            ranges = ("--subnet", self.subnet, "--ipv6", "--subnet", self.subnet6)
            docker("network", "create", *ranges, self.name)
            return self.name

    def _checked(self, found: dict[str, object]) -> str:
        if _subnets(found) != {self.subnet, self.subnet6}:
            raise TargetError(
                f"network {self.name} has another range than {self.subnet}: `make clean` removes it"
            )
        return self.name

    def _free_range(self) -> None:
        """Refuse a range in use, even by the uplink, as Docker does not; remove an idle test network."""
        for ours in (ipaddress.ip_network(self.subnet), ipaddress.ip_network(self.subnet6)):
            for theirs, owner in _in_use():
                if theirs.version == ours.version and theirs.overlaps(ours):
                    if owner.startswith(f"network {TEST_NAME}-") and _removed(owner.removeprefix("network ")):
                        continue
                    raise TargetError(
                        f"{owner} already has {theirs}, so {self.name} can't have {ours}; "
                        "name a free range in MAILSTACK_TEST_SUBNET or MAILSTACK_DEMO_SUBNET"
                    )


def demo() -> Network:
    """Return the network of the demo."""
    return Network("mailstack-demo", DEMO_SUBNET, "2001:db8:2::/64")


def test(debian: int) -> Network:
    """Return the network of one Debian's tests in this worker, an eighth of the range; others share 0.

    Of more than four workers, each has one eighth, for the two Debians in turns: pytest ends all that a test
    of one shares with others before it begins with the other.
    """
    whole = ipaddress.IPv4Network(TEST_SUBNET)
    worker = int(_WORKER.removeprefix("gw") or 0)
    eighth = list(whole.subnets(prefixlen_diff=3))[worker if _WORKERS > 4 else 2 * worker + debian % 2]
    third = whole.network_address.packed[2]
    name = f"{TEST_NAME}-test-{debian}-{worker}"
    return Network(name, str(eighth), f"2001:db8:{third:x}:{debian}{worker}::/64")


def build() -> str:
    """Return the network in which images are made; Docker chooses its range."""
    with locked("networks"):
        if docker("network", "inspect", "mailstack-build", check=False).returncode:
            docker("network", "create", "mailstack-build")
    return "mailstack-build"


def _removed(network: str) -> bool:
    """Return whether the network is gone now: Docker keeps one that a running container is on."""
    docker("network", "rm", network, check=False)
    return docker("network", "inspect", network, check=False).returncode != 0


def _in_use() -> Iterator[tuple[_Range, str]]:
    """Yield every range of a Docker network or of a route of this machine, except the default route."""
    names = docker("network", "ls", "-q").stdout.split()
    # a network that is removed at this moment is missing in the output
    for network in json.loads(docker("network", "inspect", *names, check=False).stdout):
        for subnet in _subnets(network) - {""}:
            yield ipaddress.ip_network(subnet), f"network {network['Name']}"
    for route in _ipv4_routes(Path("/proc/net/route").read_text()):
        yield route, "a route of this machine"
    table6 = Path("/proc/net/ipv6_route")
    for route6 in _ipv6_routes(table6.read_text() if table6.exists() else ""):
        yield route6, "a route of this machine"


def _ipv4_routes(table: str) -> Iterator[ipaddress.IPv4Network]:
    """Yield the ranges in /proc/net/route: addresses are hexadecimal, in native byte order (proc(5))."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        address, mask = (int.from_bytes(bytes.fromhex(fields[column])[::-1]) for column in (1, 7))
        if mask:
            yield ipaddress.IPv4Network((address, mask.bit_count()))


def _ipv6_routes(table: str) -> Iterator[ipaddress.IPv6Network]:
    """Yield the ranges in /proc/net/ipv6_route."""
    for line in table.splitlines():
        address, prefix = line.split()[:2]
        if int(prefix, 16):
            yield ipaddress.IPv6Network((int(address, 16), int(prefix, 16)))


def _subnets(network: dict[str, object]) -> set[str]:
    ipam = network["IPAM"]
    configs = ipam["Config"] or [] if isinstance(ipam, dict) else []
    return {config.get("Subnet", "") for config in configs}
