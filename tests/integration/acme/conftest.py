"""A server that gets its certificates from a CA, and the DNS that both ask."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest

from mailstack.components.declarations import Record
from tests.conftest import KEEP
from tests.support import ca, dns, sample_accounts
from tests.targets import networks
from tests.targets.containers import Target
from tests.targets.networks import Network
from tests.targets.pyinfra import PyinfraRun

#: The domains of the server.
DOMAINS = ("example.org", "example.com", "disabled.example")
#: The names below each that are in its certificate.
LABELS = ("mta-sts", "autoconfig", "autodiscover")

_KNOT = "/etc/knot/knot.conf"


@dataclass(frozen=True)
class Certified:
    """The server, the DNS, and the CA."""

    server: Target
    dns: Target
    ca: Target

    def serve(self, *domains: str, more: tuple[Record, ...] = ()) -> None:
        """Publish the server, the CA, and the names of its domains and of these."""
        dns.serve(self.dns, self._records(domains, more))
        self._forget()

    def _records(self, domains: tuple[str, ...], more: tuple[Record, ...]) -> list[Record]:
        host = f"{sample_accounts.HOSTNAME}."
        names = [f"{label}.{domain}" for domain in (*DOMAINS, *domains) for label in LABELS]
        return [
            *dns.host(sample_accounts.HOSTNAME, self.server.ip, self.server.ip6),
            *dns.host(ca.NAME, self.ca.ip),
            *(Record(name, "CNAME", host) for name in names),
            *more,
        ]

    def _forget(self) -> None:
        self.server.exec("unbound-control flush_zone . || systemctl restart unbound", check=False)

    @contextmanager
    def zones(self, *zones: str, more: tuple[Record, ...]) -> Iterator[None]:
        """Publish all that, with a zone of its own for each of these domains, in which certbot puts records.

        It never takes the root for the zone of a name.
        """
        records = self._records((), more)
        configured = self.dns.read(_KNOT)
        text = ""
        for zone in zones:
            inside = [each for each in records if each.name.endswith(f".{zone}")]
            records = [each for each in records if each not in inside]
            name_server = Record(zone, "NS", "dns.example.")
            records.append(name_server)
            start = Record(zone, "SOA", "dns.example. root.example. 1 60 60 600 1")
            lines = [f"{each.name}. 1 {each.type} {each.data}\n" for each in (start, name_server, *inside)]
            self.dns.write(f"/var/lib/knot/{zone}.zone", "".join(lines).encode())
            text += f"  - domain: {zone}\n    file: /var/lib/knot/{zone}.zone\n"
            text += "    zonefile-sync: -1\n    acl: updates\n"
        self.dns.write(_KNOT, configured + text.encode())
        self.dns.exec("knotc reload")
        dns.serve(self.dns, records)
        self._forget()
        try:
            yield
        finally:
            self.dns.write(_KNOT, configured)
            self.dns.exec("knotc reload")
            self.serve()

    def look(self, what: str = "now") -> str:
        """Do at once what the timer does, and return what it says."""
        done = self.server.exec(
            f"/usr/local/lib/mailstack/certificates {what} 2>&1", check=False, timeout=300
        )
        return done.stdout

    def deploy(self, **more: Any) -> PyinfraRun:
        """Deploy the server."""
        return self.server.pyinfra("-y", "--json", "deploy.py", data=data(**more), timeout=900).check()


def data(**more: Any) -> dict[str, Any]:
    """Return the host data of that server."""
    return sample_accounts.data(
        **{
            "mail_resolver": True,
            "mail_acme": True,
            "mail_acme_email": "admin@example.net",
            "mail_acme_server": ca.DIRECTORY,
            **more,
        }
    )


@pytest.fixture(scope="session")
def first(network: Network, debian: int, deployed: str) -> Iterator[tuple[Target, PyinfraRun]]:
    """Yield a server that was deployed before its name was in any DNS, and the output of that run."""
    server = Target(f"{networks.WORKER_NAME}-acme-{debian}", debian, network)
    if not (KEEP and server.running()):
        server.create(deployed)
        # for a later deploy, when the host asks a DNS without Debian's mirrors
        server.exec("apt-get install -qy --no-install-recommends python3-certbot-dns-rfc2136", timeout=300)
    run = server.pyinfra("-y", "--json", "deploy.py", data=data(), timeout=900).check()
    yield server, run
    if not KEEP:
        server.remove()


@pytest.fixture(scope="session")
def certified(network: Network, debian: int, first: tuple[Target, PyinfraRun]) -> Iterator[Certified]:
    """Yield the server, with all names right in the DNS."""
    resolver = dns.server(f"{networks.WORKER_NAME}-acmedns-{debian}", network, keep=KEEP)
    authority = ca.server(f"{networks.WORKER_NAME}-ca-{debian}", network, keep=KEEP)
    try:
        both = Certified(first[0], resolver, authority)
        dns.use(both.server, resolver)
        ca.introduce(both.server, authority)
        ca.start(authority, resolver)
        both.serve()
        yield both
    finally:
        if not KEEP:
            resolver.remove()
            authority.remove()
