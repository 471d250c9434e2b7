"""The rows of internet.nl's mail test about names: each passes with the zone that mailstack prints.

`docs/deliverability.md` has the table of all rows.
"""

from __future__ import annotations

import pytest

from mailstack.dns.asking import Asker
from mailstack.dns.compare import tags
from mailstack.dns.spf import MAX_LOOKUPS, examine
from tests.integration.dns.conftest import Named

DOMAIN = "example.org"


@pytest.fixture(scope="module")
def asker(unserved: Named) -> Asker:
    """Return a resolver that validates, with the printed zones in its DNS."""
    unserved.serve(unserved.zones)
    return unserved.asker()


def mx(asker: Asker) -> list[str]:
    hosts = [data.split()[1].rstrip(".") for data in asker.data(DOMAIN, "MX")]
    assert hosts
    return hosts


def test_each_mx_has_an_ipv6_address_and_answers_there(asker: Asker, unserved: Named) -> None:
    for host in mx(asker):
        addresses = asker.data(host, "AAAA")
        assert addresses
        for address in addresses:
            ask = f"exec 3<>/dev/tcp/{address}/25; head -n 1 <&3"
            assert unserved.dns.exec(["timeout", "60", "bash", "-c", ask]).stdout.startswith("220 ")


def test_the_domain_is_signed_and_valid(asker: Asker) -> None:
    answer = asker.ask(DOMAIN, "MX")
    assert answer.code == "NOERROR"
    assert answer.secure


def test_the_mx_is_in_a_zone_that_is_signed_and_valid(asker: Asker) -> None:
    for host in mx(asker):
        assert asker.ask(host, "A").secure
        assert asker.ask(host, "AAAA").secure


def test_dmarc_record_exists(asker: Asker) -> None:
    assert [text[:9] for text in asker.data(f"_dmarc.{DOMAIN}", "TXT")] == ["v=DMARC1;"]


def test_dmarc_policy_is_enough_for_the_domain_and_those_below(asker: Asker) -> None:
    (text,) = asker.data(f"_dmarc.{DOMAIN}", "TXT")
    said = tags(text)
    assert isinstance(said, dict)
    assert {said["p"], said["sp"]} <= {"quarantine", "reject"}
    assert "t" not in said
    # a reader elsewhere would have to agree
    assert said["rua"] == f"mailto:postmaster@{DOMAIN}"


def test_dkim_exists(asker: Asker) -> None:
    assert asker.ask(f"_domainkey.{DOMAIN}", "TXT").code == "NOERROR"
    assert asker.data(f"rsa1._domainkey.{DOMAIN}", "TXT")


def test_there_is_one_spf_record(asker: Asker) -> None:
    assert [text for text in asker.data(DOMAIN, "TXT") if text.startswith("v=spf1")] == ["v=spf1 mx -all"]


def test_spf_policy_is_strict_and_needs_few_lookups(asker: Asker, unserved: Named) -> None:
    (text,) = asker.data(DOMAIN, "TXT")
    spf = examine(text, DOMAIN, asker.data)
    assert spf.faults() == []
    assert spf.end == "-all"
    assert spf.lookups <= MAX_LOOKUPS
    assert spf.passes(unserved.server.ip)
    assert spf.passes(unserved.server.ip6)
