"""A server whose printed records are in a DNS, as they are, and a resolver that validates them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from mailstack.components.declarations import Record
from mailstack.dns.asking import Asker
from tests.conftest import KEEP
from tests.support import dns, sample_accounts, trust
from tests.targets import networks
from tests.targets.containers import Target
from tests.targets.networks import Network
from tests.targets.pyinfra import PyinfraRun


@dataclass(frozen=True)
class Named:
    """A server, the DNS, and the zones that mailstack printed for it."""

    server: Target
    dns: Target
    zones: str

    def run(self, *args: str, **more: Any) -> PyinfraRun:
        """Run a command against the server. Its resolver is the one to ask: it validates."""
        args = args if "--dry" in args else ("-y", *args)  # which shows no changes with -y
        data = trust.data(**{"mail_dns_resolver": self.server.ip, **more})
        return self.server.pyinfra(*args, data=data, timeout=300)

    @property
    def silent(self) -> str:
        """Return an address at which no name server answers."""
        return self.server.ip6

    def serve(self, printed: str) -> None:
        """Put these lines into the DNS, with the names by which the provider's addresses lead back."""
        addresses = dns.host(sample_accounts.HOSTNAME, self.server.ip, self.server.ip6)
        dns.serve(self.dns, [record for record in addresses if record.type == "PTR"], printed)
        self.forget()

    def forget(self) -> None:
        """Make the resolver forget what it has been told."""
        # not so often that systemd refuses
        self.server.exec("systemctl reset-failed unbound; systemctl restart unbound")

    def asker(self) -> Asker:
        """Return the resolver, for questions of a test."""
        return Asker(self.server.ip)

    def without(self, *beginnings: str, more: tuple[Record, ...] = ()) -> str:
        """Return the printed zones without the lines that begin so, and with these records."""
        lines = [line for line in self.zones.splitlines() if not line.startswith(beginnings or ("\0",))]
        lines += [f"{record.name}. 1 {record.type} {record.data}" for record in more]
        return "".join(f"{line}\n" for line in lines)


@pytest.fixture(scope="session")
def unserved(network: Network, debian: int, filtering: str) -> Iterator[Named]:
    """Yield the server and a DNS, which need not have its records."""
    server = Target(f"{networks.WORKER_NAME}-named-{debian}", debian, network)
    if not (KEEP and server.running()):
        server.create(filtering)
    names = dns.server(f"{networks.WORKER_NAME}-names-{debian}", network, keep=KEEP)
    try:
        if KEEP:
            server.pyinfra("-y", "deploy.py", data=trust.data(), timeout=900).check()
        opened = f"server:\n  interface: {server.ip}\n  access-control: {network.subnet} allow\n"
        server.write("/etc/unbound/unbound.conf.d/opened.conf", opened.encode())
        dns.use(server, names)
        trust.wait_for_keys(server)
        printed = server.pyinfra("-y", "mailstack.dns.zone", data=trust.data()).check().stdout
        yield Named(server, names, printed)
    finally:
        if not KEEP:
            server.remove()
            names.remove()


@pytest.fixture
def named(unserved: Named) -> Named:
    """Return the server, with the printed zones in the DNS."""
    unserved.serve(unserved.zones)
    return unserved
