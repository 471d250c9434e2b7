"""SPF: look-ups are counted as RFC 7208, 4.6.4 says, and addresses pass or not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from mailstack.dns.spf import Spf, examine

RECORDS = {
    ("example.org", "MX"): ["10 mail.example.org.", "20 backup.example.net."],
    ("mail.example.org", "A"): ["192.0.2.1"],
    ("mail.example.org", "AAAA"): ["2001:db8::1"],
    ("backup.example.net", "A"): ["198.51.100.1"],
    ("example.org", "A"): ["192.0.2.80"],
    ("_spf.example.net", "TXT"): ["v=spf1 ip4:203.0.113.0/24 include:_more.example.net ~all", "another"],
    ("_more.example.net", "TXT"): ["v=spf1 a:mail.example.org -all"],
    ("loop.example", "TXT"): ["v=spf1 include:loop.example -all"],
    ("two.example", "TXT"): ["v=spf1 -all", "v=spf1 mx -all"],
    ("many.example", "MX"): [f"10 mx{number}.many.example." for number in range(11)],
}


def ask(name: str, kind: str) -> Sequence[str]:
    return RECORDS.get((name, kind), [])


def spf(text: str) -> Spf:
    return examine(text, "example.org", ask)


@pytest.mark.parametrize(
    "text, lookups",
    [
        ("v=spf1 -all", 0),
        ("v=spf1 ip4:192.0.2.1 ip6:2001:db8::/32 -all", 0),
        ("v=spf1 mx -all", 1),
        ("v=spf1 mx a ptr exists:%{i}.example.org -all", 4),
        ("v=spf1 include:_spf.example.net -all", 3),
        ("v=spf1 redirect=_spf.example.net", 3),
        ("v=spf1 redirect=_spf.example.net -all", 0),
        ("v=spf1 -all mx a", 0),
        ("v=spf1 MX A/24 ?include:_more.example.net exp=why.example.org -all", 4),
    ],
)
def test_lookups(text: str, lookups: int) -> None:
    assert spf(text).lookups == lookups


@pytest.mark.parametrize(
    "text, address, passes",
    [
        ("v=spf1 mx -all", "192.0.2.1", True),
        ("v=spf1 mx -all", "2001:db8::1", True),
        ("v=spf1 mx -all", "192.0.2.80", False),
        ("v=spf1 a -all", "192.0.2.80", True),
        ("v=spf1 a/24 -all", "192.0.2.7", True),
        ("v=spf1 mx//64 -all", "2001:db8::2", True),
        ("v=spf1 ip4:192.0.2.0/25 -all", "192.0.2.127", True),
        ("v=spf1 ip4:192.0.2.0/25 -all", "192.0.2.128", False),
        ("v=spf1 include:_spf.example.net -all", "203.0.113.9", True),
        ("v=spf1 include:_spf.example.net -all", "192.0.2.1", True),
        ("v=spf1 ?include:_spf.example.net -all", "203.0.113.9", False),
        ("v=spf1 ~mx -all", "192.0.2.1", False),
        ("v=spf1 redirect=_spf.example.net", "203.0.113.9", True),
        ("v=spf1 -all mx", "192.0.2.1", False),
    ],
)
def test_passing(text: str, address: str, passes: bool) -> None:
    assert spf(text).passes(address) is passes


def test_ten_lookups_are_allowed_and_eleven_are_not() -> None:
    ten = " ".join(["mx"] * 10)
    assert spf(f"v=spf1 {ten} -all").faults() == []
    assert spf(f"v=spf1 {ten} a -all").faults() == ["it needs 11 look-ups; receivers give up after 10"]


@pytest.mark.parametrize(
    "text, fault",
    [
        ("v=spf1 mx ?all", "it does not end with -all or ~all"),
        ("v=spf1 mx +all", "it does not end with -all or ~all"),
        ("v=spf1 mx", "it does not end with -all or ~all"),
        ("v=spf1 include:none.example -all", "none.example, which it includes, has no SPF records"),
        ("v=spf1 include:two.example -all", "two.example, which it includes, has 2 SPF records"),
        ("v=spf1 include:loop.example -all", "it needs 21 look-ups; receivers give up after 10"),
        ("v=spf1 a:x.example a:y.example a:z.example -all", "3 of its look-ups have no answer"),
        ("v=spf1 mx:many.example -all", "many.example has 11 MX hosts; receivers look at 10"),
        ("v=spf1 ipv4:192.0.2.1 -all", "'ipv4:192.0.2.1' is no term of SPF"),
        ("v=spf1 ip4:example.org -all", "'ip4:example.org' has no address"),
    ],
)
def test_faults(text: str, fault: str) -> None:
    assert any(each.startswith(fault) for each in spf(text).faults()), spf(text).faults()


def test_the_end_is_that_of_the_redirected_one() -> None:
    assert spf("v=spf1 redirect=_spf.example.net").end == "~all"
    assert spf("v=spf1 include:_spf.example.net -all").end == "-all"
