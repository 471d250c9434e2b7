"""The DNS of a test: one server with all the names that there are, and hosts that ask it alone."""

from __future__ import annotations

import ipaddress
import itertools
import time
from collections.abc import Iterable

from mailstack.components.declarations import Record
from tests.support import clients
from tests.targets import images
from tests.targets.containers import Target
from tests.targets.networks import Network

_ZONE = "/var/lib/knot/root.zone"
_serials = itertools.count(int(time.time()))


def server(name: str, network: Network, *, keep: bool = False) -> Target:
    """Return the server; as yet it has no names.

    `keep` reuses a running server.
    """
    target = Target(name, 13, network, hostname="dns.example")
    return target if keep and target.running() else target.create(images.dns_image())


def serve(dns: Target, records: Iterable[Record]) -> None:
    """Make the server have these records, and no others; an answer is remembered for a second at most."""
    lines = [f". 1 SOA dns.example. root.example. {next(_serials)} 60 60 600 1", ". 1 NS dns.example."]
    lines += [f"{record.name}. 1 {record.type} {record.data}" for record in records]
    dns.write(_ZONE, "".join(f"{line}\n" for line in lines).encode())
    dns.exec("knotc -b zone-reload .")


def use(target: Target, dns: Target) -> None:
    """Make a host ask that server alone. Docker's own would answer for containers, and ask the world."""
    # it is a mount, which can be written and not replaced; Postfix has a copy in its chroot
    target.exec(f"echo 'nameserver {dns.ip}' > /etc/resolv.conf && systemctl restart postfix rspamd")


def host(name: str, *addresses: str) -> list[Record]:
    """Return the records of a host: its addresses, and its name by these."""
    found = [ipaddress.ip_address(address) for address in addresses]
    forward = [Record(name, "A" if each.version == 4 else "AAAA", str(each)) for each in found]
    return forward + [Record(each.reverse_pointer, "PTR", f"{name}.") for each in found]


def keys(target: Target, domain: str) -> list[Record]:
    """Return the records of a domain's DKIM keys, once the host has made them."""
    directory = f"/var/lib/rspamd/dkim/{domain}"

    def made() -> list[str]:
        return target.exec(f"cd {directory} && ls *.txt", check=False).stdout.split()

    files = clients.eventually(made, f"no key for {domain}", 60)
    return [
        Record(
            f"{file.removesuffix('.txt')}._domainkey.{domain}",
            "TXT",
            target.exec(f"cat {directory}/{file}").stdout.strip(),
        )
        for file in files
    ]
