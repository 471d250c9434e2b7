"""Networks with documentation addresses (RFC 5737, RFC 3849).

Spam filters and postscreen treat private addresses as friends, so tests on these would test nothing.
"""

from __future__ import annotations

import ipaddress
import json
import os
from dataclasses import dataclass

from tests.targets.shell import TargetError, docker, locked

#: Where these are taken on a machine: MAILSTACK_TEST_SUBNET, MAILSTACK_DEMO_SUBNET.
TEST_SUBNET = os.environ.get("MAILSTACK_TEST_SUBNET", "198.51.100.0/24")
DEMO_SUBNET = os.environ.get("MAILSTACK_DEMO_SUBNET", "192.0.2.0/24")


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
            self._refuse_overlaps()
            ranges = ("--subnet", self.subnet, "--ipv6", "--subnet", self.subnet6)
            docker("network", "create", *ranges, self.name)
            return self.name

    def _checked(self, found: dict[str, object]) -> str:
        if _subnets(found) != {self.subnet, self.subnet6}:
            raise TargetError(
                f"network {self.name} has another range than {self.subnet}: `make clean` removes it"
            )
        return self.name

    def _refuse_overlaps(self) -> None:
        names = docker("network", "ls", "-q").stdout.split()
        for network in json.loads(docker("network", "inspect", *names).stdout):
            for subnet in _subnets(network) - {""}:
                theirs = ipaddress.ip_network(subnet)
                for ours in (ipaddress.ip_network(self.subnet), ipaddress.ip_network(self.subnet6)):
                    if theirs.version == ours.version and theirs.overlaps(ours):
                        raise TargetError(
                            f"network {network['Name']} already has {theirs}, which we need as {ours}"
                        )


def demo() -> Network:
    """The network of the demo."""
    return Network("mailstack-demo", DEMO_SUBNET, "2001:db8:2::/64")


def test(debian: int) -> Network:
    """The network of one Debian's tests: half the range each, so that two test workers never meet."""
    half = list(ipaddress.ip_network(TEST_SUBNET).subnets())[debian % 2]
    return Network(f"mailstack-test-{debian}", str(half), f"2001:db8:1:{debian}::/64")


def build() -> str:
    """The network in which images are made."""
    with locked("networks"):
        if docker("network", "inspect", "mailstack-build", check=False).returncode:
            docker("network", "create", "mailstack-build")
    return "mailstack-build"


def _subnets(network: dict[str, object]) -> set[str]:
    ipam = network["IPAM"]
    configs = ipam["Config"] or [] if isinstance(ipam, dict) else []
    return {config.get("Subnet", "") for config in configs}
