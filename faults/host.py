"""The host itself: its power, its clock, its names, its network."""

from __future__ import annotations

from ipaddress import ip_network

from faults.row import Case, Row, wait_for_more
from tests.support.tally import DELIVERED_AGAIN, SENT_AGAIN
from tests.targets.shell import docker

PART = "The host and its network"
_CUTS = 10


def power_cuts(case: Case) -> None:
    """Cut the power ten times; each time but the last the host starts again, and takes some mail."""
    for _ in range(_CUTS - 1):
        docker("kill", case.host.name)
        case.host.start()
        wait_for_more(case, 20)
    docker("kill", case.host.name)


def power_on(case: Case) -> None:
    """Start the host, and wait for nothing."""
    docker("start", case.host.name)


def other_address(case: Case) -> None:
    """Give the host another address in its network, and publish it."""
    host, network = case.host, case.host.network
    addresses = [ip_network(each)[-2 - 4] for each in (network.subnet, network.subnet6)]
    docker("network", "disconnect", network.name, host.name)
    given = ("--ip", str(addresses[0]), "--ip6", str(addresses[1]))
    docker("network", "connect", *given, network.name, host.name)
    host.wait()
    assert host.ip == str(addresses[0])
    case.protected.serve("example.org", "example.com")


def paused(case: Case) -> None:
    """Stop the answers of the DNS."""
    docker("pause", case.protected.dns.name)


def unpaused(case: Case) -> None:
    """Let the DNS answer again."""
    docker("unpause", case.protected.dns.name)


ROWS = (
    Row(
        "power-cuts",
        f"The power is cut {_CUTS} times (`docker kill`), and the host starts again",
        do=power_cuts,
        undo=power_on,
        doubles=(SENT_AGAIN, DELIVERED_AGAIN),
        after=lambda case: case.host.wait(),
    ),
    Row(
        "dns-away",
        "No name server of the Internet answers the resolver, for 15 s",
        do=paused,
        seconds=15,
        undo=unpaused,
        doubles=(SENT_AGAIN,),
    ),
    Row("address-changed", "The host gets another IP address", do=other_address, doubles=(SENT_AGAIN,)),
    Row(
        "host-name-changed",
        "The host gets another name, and Postfix and Dovecot are restarted",
        do="hostname elsewhere; systemctl restart $postfix dovecot",
        undo="hostname mail.example.org; systemctl restart $postfix dovecot",
        seconds=5,
        doubles=(SENT_AGAIN, DELIVERED_AGAIN),
        stops="dovecot",
    ),
)
