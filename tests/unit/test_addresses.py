"""Valid addresses, and the form in which they are stored."""

from __future__ import annotations

import pytest

from mailstack import addresses

LONG = "a" * 64


@pytest.mark.parametrize(
    "text, stored",
    [
        ("example.org", "example.org"),
        ("EXAMPLE.Org", "example.org"),
        ("a-b.c--d.example", "a-b.c--d.example"),
        ("1.example", "1.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("例え.テスト", "xn--r8jz45g.xn--zckzah"),
        (f"{'a' * 63}.org", f"{'a' * 63}.org"),
        (".".join(["a" * 61] * 4) + ".abcde", ".".join(["a" * 61] * 4) + ".abcde"),
    ],
)
def test_a_domain_is_stored_in_lower_case_and_as_a_labels(text: str, stored: str) -> None:
    assert addresses.domain_name(text) == stored


@pytest.mark.parametrize(
    "text",
    [
        "",
        "org",
        ".org",
        "example.",
        "example..org",
        "-a.org",
        "a-.org",
        "a_b.org",
        "a b.org",
        "example.org\n",
        "192.0.2.1",
        "[192.0.2.1]",
        "example.123",
        f"{LONG}.org",
        ".".join(["a" * 61] * 4) + ".abcdef",
        "straße.example",
        "bü..example",
        "ü" * 60 + ".example",
    ],
)
def test_texts_that_are_not_domains_are_refused(text: str) -> None:
    with pytest.raises(ValueError):
        addresses.domain_name(text)


@pytest.mark.parametrize("local", ["a", "o'brien", "a.b-c_d", "#$&'*=?^_{|}~-", "x.$&", LONG, "123"])
def test_the_local_part_of_a_mailbox(local: str) -> None:
    assert addresses.mailbox_address(f"{local.upper()}@Example.org") == f"{local}@example.org"


@pytest.mark.parametrize(
    "local",
    [
        "",
        ".a",
        "a.",
        "a..b",
        "-a",
        "a+b",
        "a%b",
        "a!b",
        "a/b",
        "a`b",
        "a b",
        '"a"',
        "a\n",
        "ä",
        "a\0",
        "a@b",
        f"{LONG}a",
    ],
)
def test_invalid_mailboxes_are_refused(local: str) -> None:
    with pytest.raises(ValueError):
        addresses.mailbox_address(f"{local}@example.org")


def test_an_address_has_254_octets_at_most() -> None:
    domain = ".".join(["a" * 61] * 3) + ".abc"  # 189
    assert len(addresses.mailbox_address(f"{LONG}@{domain}")) == 254
    with pytest.raises(ValueError, match="longer than 254"):
        addresses.mailbox_address(f"{LONG}@{domain}d")


@pytest.mark.parametrize("local", ["a+b", "a%b", "a/b", "a`b", "-a", "a.b", "A+B"])
def test_an_alias_may_point_to_any_dot_atom(local: str) -> None:
    assert addresses.destination_address(f"{local}@Example.net") == f"{local}@example.net"
    assert addresses.address_key(f"{local}@Example.net") == f"{local.lower()}@example.net"


def test_only_an_address_in_local_domains_is_folded() -> None:
    assert addresses.in_domains("A+B@example.org", {"example.org"}) == "a+b@example.org"
    assert addresses.in_domains("A+B@example.net", {"example.org"}) == "A+B@example.net"


@pytest.mark.parametrize(
    "text", ["root", "a@", "@example.net", '"a b"@example.net', "a..b@example.net", "a,b@c.de"]
)
def test_an_alias_points_to_whole_addresses_only(text: str) -> None:
    with pytest.raises(ValueError):
        addresses.destination_address(text)


def test_the_source_of_an_alias() -> None:
    assert addresses.alias_source("@EXAMPLE.org") == "@example.org"
    assert addresses.alias_source("Sales@example.org") == "sales@example.org"
    for wrong in ("sales", "@", "@org", "a+b@example.org"):
        with pytest.raises(ValueError):
            addresses.alias_source(wrong)


def test_a_local_name_or_an_address() -> None:
    assert addresses.local_name_or_address("Root") == "root"
    assert addresses.local_name_or_address("A@Example.org") == "A@example.org"
    for wrong in ("", "a b", "-root", "|cmd", "a@b"):
        with pytest.raises(ValueError):
            addresses.local_name_or_address(wrong)
