"""The rows of internet.nl's mail test about DANE, one test for each, as in `docs/deliverability.md`."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mailstack.components.declarations import Record
from mailstack.facts import TlsaRecords
from tests.support import dns, sample_accounts
from tests.support.trust import Protected

pytestmark = pytest.mark.postgresql

NAME = f"_25._tcp.{sample_accounts.HOSTNAME}"
TLSA = 52


@pytest.fixture(scope="module")
def records(protected: Protected) -> Iterator[list[str]]:
    """Yield the TLSA records that the server says it needs, once they are published."""
    fact = TlsaRecords()
    found = [key.data for key in fact.answer(protected.server.exec(fact.command()).stdout).values()]
    protected.serve("example.org", "example.com", more=[Record(NAME, "TLSA", data) for data in found])
    protected.server.exec("unbound-control flush_zone .")
    yield found
    protected.serve("example.org", "example.com")


def finger(protected: Protected) -> str:
    """Return what a client that goes by DANE says of the domain's server, asking the resolver of the host."""
    bind = "mount --bind /var/spool/postfix/etc/resolv.conf /etc/resolv.conf"
    ask = f"{bind} && timeout 60 posttls-finger -c -l dane-only -L summary example.org"
    return protected.server.exec(["unshare", "--mount", "sh", "-c", f"{ask} 2>&1"], check=False).stdout


def test_dane_exists(protected: Protected, records: list[str]) -> None:
    assert records
    assert dns.ask(protected.server, NAME, TLSA) == (0, True)


def test_dane_is_valid(protected: Protected, records: list[str]) -> None:
    assert "Verified TLS connection established to mail.example.org" in finger(protected)


def test_dane_rollover_scheme(protected: Protected, records: list[str]) -> None:
    """The next key is published beside that in use."""
    assert len(set(records)) == 2
    assert all(data.startswith("3 1 1 ") for data in records)
