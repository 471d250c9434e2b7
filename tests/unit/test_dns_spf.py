"""SPF: look-ups are counted as RFC 7208, 4.6.4 says, and addresses pass or not."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest

from mailstack.dns.spf import Spf, examine
from mailstack.spf_terms import parsed

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
    ("_minus.example.net", "TXT"): ["v=spf1 -ip4:192.0.2.1 ip4:192.0.2.0/24 +all"],
    ("ten.example", "MX"): [f"10 mx{number}.ten.example." for number in range(10)],
    ("ten.example", "A"): ["192.0.2.10"],
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
        # the first that matches decides
        ("v=spf1 -ip4:192.0.2.0/24 ip4:192.0.2.1 -all", "192.0.2.1", False),
        ("v=spf1 ?ip4:192.0.2.0/24 ip4:192.0.2.1 -all", "192.0.2.1", False),
        ("v=spf1 ip4:192.0.2.1 -ip4:192.0.2.0/24 -all", "192.0.2.1", True),
        ("v=spf1 -ip4:198.51.100.0/24 ip4:192.0.2.1 -all", "192.0.2.1", True),
        # "-" within an include is no match there
        ("v=spf1 include:_minus.example.net -all", "192.0.2.1", False),
        ("v=spf1 include:_minus.example.net ip4:192.0.2.1 -all", "192.0.2.1", True),
        ("v=spf1 include:_minus.example.net -all", "192.0.2.2", True),
        ("v=spf1 -include:_minus.example.net mx ip4:192.0.2.2 -all", "192.0.2.2", False),
        ("v=spf1 redirect=_minus.example.net", "192.0.2.1", False),
        ("v=spf1 ip4:192.0.2.7/24 -all", "192.0.2.9", True),
        ("v=spf1 ip6:2001:db8::/32 -all", "2001:db8:1::1", True),
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
        ("v=spf1 ip4:example.org -all", "'ip4:example.org' has no IPv4 address"),
        ("v=spf1 mx redirect=a.example redirect=b.example", "it has redirect= twice"),
        ("v=spf1 mx -all a/99", "'a/99' has the prefix /99; allowed: 0 to 32: receivers ignore it"),
    ],
)
def test_faults(text: str, fault: str) -> None:
    assert any(each.startswith(fault) for each in spf(text).faults()), spf(text).faults()


def test_as_many_as_receivers_look_at_are_no_fault() -> None:
    assert spf("v=spf1 mx:ten.example -all").faults() == []
    assert spf("v=spf1 a:x.example a:y.example -all").faults() == []


@pytest.mark.parametrize(
    "word, said",
    [
        ("ip4:999.1.1.1", "has no IPv4 address"),
        ("ip4:192.0.2", "has no IPv4 address"),
        ("ip4:2001:db8::1", "has no IPv4 address"),
        ("ip4", "has nothing after ip4:"),
        ("ip4:", "is no term"),
        ("ip4:192.0.2.1/99", "has the prefix /99; allowed: 0 to 32"),
        ("ip4:192.0.2.1/024", "is no term"),
        ("ip4:192.0.2.0/24//64", "can't have the prefix //64"),
        ("ip6:fe80", "has no IPv6 address"),
        ("ip6:192.0.2.1", "has no IPv6 address"),
        ("ip6:2001:db8::/129", "has the prefix /129; allowed: 0 to 128"),
        ("a/99", "has the prefix /99; allowed: 0 to 32"),
        ("mx//129", "has the prefix //129; allowed: 0 to 128"),
        ("a:", "is no term"),
        ("a:localhost", "has no domain: 'localhost'"),
        ("a:a..example", "has no domain"),
        (f"include:{'a' * 64}.example", "has no domain"),
        ("include:example.org/24", "can't have the prefix /24"),
        ("include", "has nothing after include:"),
        ("all:example.org", "has something after all"),
        ("exists:%{x}.example.org", "has no domain"),
        ("redirect=", "has no domain"),
        ("%{a}" * 200 + "/", "is no term"),
    ],
)
def test_a_word_that_is_no_term(word: str, said: str) -> None:
    with pytest.raises(ValueError, match=re.escape(said)):
        parsed(word)
    (fault, *_) = spf(f"v=spf1 {word} -all").faults()
    assert said in fault
    assert fault.endswith(": receivers ignore it")


@pytest.mark.parametrize(
    "word",
    [
        "ip4:0.0.0.0/0",
        "ip6:::/0",
        "ip6:::ffff:192.0.2.1",
        "a:example.org./24//64",
        "exists:%{ir}.%{v}._spf.%{d2/}",
        "A:_spf.Example.org",
        "ptr:example.org",
        "unknown=",
        "exp=%{d}",
    ],
)
def test_a_word_that_is_a_term(word: str) -> None:
    parsed(word)
    assert spf(f"v=spf1 {word} -all").problems == []


def test_the_end_is_that_of_the_redirected_one() -> None:
    assert spf("v=spf1 redirect=_spf.example.net").end == "~all"
    assert spf("v=spf1 include:_spf.example.net -all").end == "-all"
    assert spf("v=spf1 include:_spf.example.net").end == ""
    assert spf("v=spf1 mx").end == ""
