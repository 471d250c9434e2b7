"""The world around the hosts of the examples: a DNS, and one host that is all other servers."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest

from mailstack.components.declarations import Record
from tests.conftest import leave_out
from tests.support import dns, sample_accounts
from tests.targets import images, networks
from tests.targets.containers import Target
from tests.targets.networks import Network


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker of tests that only `make examples` runs, for the time that they take."""
    config.addinivalue_line("markers", "long: left out without --examples")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect these tests if nobody asked for them."""
    if not config.getoption("--examples"):
        leave_out(config, items, lambda item: item.get_closest_marker("long") is not None)


@pytest.fixture(scope="module")
def others(network: Network, debian: int) -> Iterator[Target]:
    """Yield the servers of others: the MX of remote.example.net and of example.net, and smtp.example.net.

    Docker finds hosts by their hostnames, too: for later tests, the peer alone is remote.example.net.
    """
    target = Target(
        f"{networks.WORKER_NAME}-others-{debian}",
        13,
        network,
        hostname=sample_accounts.REMOTE,
        aliases=("smtp.example.net",),
    ).create(images.peer_image())
    target.exec(
        f"postconf -e 'virtual_mailbox_domains={sample_accounts.REMOTE}, example.net, example.org'"
        "; postfix reload"
    )
    yield target
    target.remove()


@pytest.fixture(scope="module")
def names(network: Network, debian: int, others: Target) -> Iterator[Target]:
    """Yield the DNS, which knows the others, and this machine as the stranger that it is to the hosts."""
    here = str(next(ipaddress.ip_network(network.subnet).hosts()))
    server = dns.server(f"{networks.WORKER_NAME}-example-names-{debian}", network)
    dns.serve(
        server,
        [
            *dns.host(sample_accounts.REMOTE, here),
            Record(sample_accounts.REMOTE, "MX", f"10 {sample_accounts.REMOTE}."),
            Record(sample_accounts.REMOTE, "TXT", f'"v=spf1 ip4:{here} -all"'),
            Record("example.net", "MX", "10 smtp.example.net."),
            *dns.host("smtp.example.net", others.ip),
            # the first MX, for the host that is the second one
            Record(sample_accounts.HOSTNAME, "A", others.ip),
        ],
    )
    yield server
    server.remove()
