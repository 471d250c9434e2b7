"""Which names of a certificate lead to the host, by the DNS and by its addresses."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from typing import Any

import dns.exception
import dns.resolver
import pytest

from mailstack.on_host.certificates import names
from mailstack.on_host.certificates.files import FailureError
from mailstack.on_host.certificates.names import Names

HOST, NAME = "mail.example.org", "mta-sts.example.org"
CONFIGURATION: dict[str, Any] = {
    "addresses": [],
    "challenge": "http-01",
    "hostname": HOST,
    "resolver": "127.0.0.1",
}
Answers = Callable[..., Names]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Answers:
    """Return a function that makes `Names` of a DNS with these addresses, on a host with these."""

    def of(found: dict[str, set[str]], own: set[str], **more: Any) -> Names:
        monkeypatch.setattr(names, "own_addresses", lambda: own)
        made = Names({**CONFIGURATION, **more})
        monkeypatch.setattr(made, "addresses", lambda name: found.get(name, set()))
        return made

    return of


def wrong(address: str) -> str:
    return f"has the address {address}, which is not one of this host"


@pytest.mark.parametrize(
    ("own", "found", "problem"),
    [
        ({"8.8.8.8"}, {"8.8.8.8"}, None),
        ({"8.8.8.8"}, set(), "has no address in the DNS"),
        ({"8.8.8.8"}, {"8.8.4.4"}, wrong("8.8.4.4")),
        ({"8.8.8.8"}, {"8.8.8.8", "8.8.4.4"}, wrong("8.8.4.4")),
        # the name of the host says nothing about one that needs no router
        ({"8.8.8.8"}, {"9.9.9.9"}, wrong("9.9.9.9")),
        # behind a router that translates, the name of the host has the address of that
        ({"10.0.0.2"}, {"9.9.9.9"}, None),
        ({"10.0.0.2"}, {"8.8.4.4"}, wrong("8.8.4.4")),
        # each version of IP by itself
        ({"10.0.0.2", "2a00::2"}, {"9.9.9.9", "2a00::2"}, None),
        ({"10.0.0.2", "2a00::2"}, {"9.9.9.9", "2a00::9"}, wrong("2a00::9")),
        ({"8.8.8.8", "fd00::2"}, {"8.8.8.8", "2a00::9"}, None),
        ({"10.0.0.2"}, {"9.9.9.9", "2a00::9"}, wrong("2a00::9")),
    ],
)
def test_names_lead_to_this_host(
    answers: Answers, own: set[str], found: set[str], problem: str | None
) -> None:
    dns = {NAME: found, HOST: {"9.9.9.9", "2a00::9"}}
    assert answers(dns, own).problem(NAME) == problem


def test_the_dns_is_asked_by_the_ca_alone_with_its_challenge(answers: Answers) -> None:
    elsewhere = answers({NAME: {"8.8.4.4"}}, {"8.8.8.8"}, challenge="dns-01")
    assert elsewhere.problem(NAME) is None
    nowhere = answers({}, {"8.8.8.8"}, challenge="dns-01")
    assert nowhere.problem(NAME) == "has no address in the DNS"


@pytest.mark.parametrize("own", [{"10.0.0.2"}, {"10.0.0.2", "2a00::2"}])
def test_the_addresses_of_the_settings_count(answers: Answers, own: set[str]) -> None:
    given = answers({NAME: {"9.9.9.9"}, HOST: {"8.8.4.4"}}, own, addresses=["9.9.9.9"])
    assert given.problem(NAME) is None
    assert given.problem(HOST) == wrong("8.8.4.4")


def test_a_dns_that_does_not_answer_is_not_waited_for_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def resolve(_: object, name: str, kind: str) -> None:
        asked.append(name)
        raise dns.resolver.NoNameservers if name.startswith("broken") else dns.exception.Timeout

    monkeypatch.setattr(dns.resolver.Resolver, "resolve", resolve)
    made = Names(CONFIGURATION)
    for name in ("broken.example", "broken.example", "broken.example", "a.example", "b.example"):
        assert "the DNS gives no answer (" in str(made.problem(name))
    assert len(asked) == 5
    with pytest.raises(FailureError, match=r"^the DNS gives no answer$"):
        made.addresses("c.example")
    assert len(asked) == 5


def test_without_a_resolver_it_is_an_answer_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def read(*_: object) -> None:
        raise dns.resolver.NoResolverConfiguration

    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", read)
    made = Names({**CONFIGURATION, "resolver": None})
    assert made.problem(NAME) == "the DNS gives no answer (NoNameservers)"


def test_addresses_that_only_the_host_can_use_are_not_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = ("127.0.0.1", "8.8.8.8", "::1", "fe80::2", "2a00::2")
    links = [{"ifname": "lo"}, {"addr_info": [{"local": each} for each in listed]}]
    answer = subprocess.CompletedProcess("ip", 0, json.dumps(links), "")
    monkeypatch.setattr(names, "run", lambda *_: answer)
    assert names.own_addresses() == {"8.8.8.8", "2a00::2"}
    monkeypatch.setattr(names, "run", lambda *_: subprocess.CompletedProcess("ip", 1, "", "no"))
    assert names.own_addresses() == set()
