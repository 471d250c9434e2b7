"""Questions to name servers, and what their responses say. The servers are made up."""

from __future__ import annotations

import socket

import dns.exception
import dns.flags
import dns.message
import dns.query
import dns.rrset
import pytest

from mailstack.dns.asking import Answer, Asker, Server, parsed


def test_a_response_is_read() -> None:
    query = dns.message.make_query("www.example.org", "A")
    response = dns.message.make_response(query)
    response.flags |= dns.flags.AD
    response.answer = [
        dns.rrset.from_text("www.example.org.", 60, "IN", "CNAME", "Mail.example.org."),
        dns.rrset.from_text("mail.example.org.", 60, "IN", "A", "192.0.2.2", "192.0.2.1"),
    ]
    response.authority = [
        dns.rrset.from_text("example.org.", 60, "IN", "SOA", "ns. root. 1 60 60 600 1"),
    ]
    assert parsed(response, "www.example.org", "A") == Answer(
        ("192.0.2.1", "192.0.2.2"),
        "mail.example.org.",
        "NOERROR",
        "example.org",
        secure=True,
        authoritative=False,
    )
    assert parsed(response, "www.example.org", "CNAME")[:2] == (("mail.example.org.",), "")
    # a parent's SOA comes with a referral, that of the zone with the answer
    response.answer = [dns.rrset.from_text("a.example.org.", 60, "IN", "SOA", "ns. root. 1 60 60 600 1")]
    assert parsed(response, "a.example.org", "SOA").zone == "a.example.org"


def test_a_referral_names_the_servers_that_have_the_name() -> None:
    query = dns.message.make_query("_dmarc.example.org", "TXT")
    query.flags &= ~dns.flags.RD
    response = dns.message.make_response(query)
    response.authority = [
        dns.rrset.from_text(
            "_dmarc.example.org.", 60, "IN", "NS", "ns2.vendor.example.", "NS1.vendor.example."
        ),
    ]
    found = parsed(response, "_dmarc.example.org", "TXT")
    assert found.delegated == ("ns1.vendor.example", "ns2.vendor.example") and not found.authoritative
    response.flags |= dns.flags.AA  # the server that has it names itself
    assert parsed(response, "_dmarc.example.org", "TXT").delegated == ()


@pytest.mark.parametrize("name", ["a..example.org", f"{'a' * 64}.example.org", "a." * 130 + "org"])
def test_a_name_that_can_be_none_is_not_asked_for(name: str) -> None:
    assert Asker("192.0.2.99").ask(name, "A") == Answer(code="NXDOMAIN")


def test_a_server_that_loses_a_question_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def answer(query: dns.message.Message, where: str, **_: object) -> tuple[dns.message.Message, bool]:
        asked.append(where)
        if len(asked) == 1:
            raise dns.exception.Timeout
        return dns.message.make_response(query), False

    monkeypatch.setattr(dns.query, "udp_with_fallback", answer)
    assert Asker("192.0.2.99").ask("example.org", "A").code == "NOERROR"
    assert asked == ["192.0.2.99", "192.0.2.99"]


def test_the_zone_of_an_alias_is_that_of_its_own_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """The response has the SOA record of the zone that it leads to, whose servers know nothing of it."""

    def answer(query: dns.message.Message, where: str, **_: object) -> tuple[dns.message.Message, bool]:
        response = dns.message.make_response(query)
        zone = "example.org."
        if query.question[0].name.to_text() == "mail.example.org.":
            zone = "provider.example."
            alias = dns.rrset.from_text("mail.example.org.", 60, "IN", "CNAME", f"vps7.{zone}")
            response.answer.append(alias)
        response.authority.append(dns.rrset.from_text(zone, 60, "IN", "SOA", "ns. root. 1 60 60 600 1"))
        return response, False

    monkeypatch.setattr(dns.query, "udp_with_fallback", answer)
    assert Asker("192.0.2.99").zone_of("mail.example.org") == "example.org"


@pytest.mark.parametrize(
    ("fails", "found"), [((), ["192.0.2.53", "2001:db8::53"]), ((socket.AF_INET6,), ["192.0.2.53"])]
)
def test_a_server_is_asked_by_the_versions_of_ip_that_there_are(
    fails: tuple[int, ...], found: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At home there may be no IPv6: then it is not the server that does not answer."""

    class Socket:
        def __init__(self, family: int, kind: int) -> None:
            self.family = family

        def __enter__(self) -> Socket:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def connect(self, where: tuple[str, int]) -> None:
            if self.family in fails:
                raise OSError(101, "Network is unreachable")

    records = {"NS": ("ns1.example.org.",), "A": ("192.0.2.53",), "AAAA": ("2001:db8::53",)}
    monkeypatch.setattr(Asker, "data", lambda self, name, kind: records[kind])
    monkeypatch.setattr(socket, "socket", Socket)
    assert [each.address for each in Asker("192.0.2.99").servers_of("example.org")] == found


def test_only_a_resolver_is_asked_to_ask_others(monkeypatch: pytest.MonkeyPatch) -> None:
    """And to answer even if DNSSEC is broken, where the check looks at what there is."""
    asked: list[dns.message.Message] = []

    def answer(query: dns.message.Message, where: str, **_: object) -> tuple[dns.message.Message, bool]:
        asked.append(query)
        return dns.message.make_response(query), False

    monkeypatch.setattr(dns.query, "udp_with_fallback", answer)
    asker = Asker("192.0.2.99")
    asker.ask("example.org", "A")
    asker.ask("example.org", "A", Server("ns1.example.org", "192.0.2.53"))
    asker.data("example.org", "A")
    assert [bool(query.flags & dns.flags.RD) for query in asked] == [True, False, True]
    assert [bool(query.flags & dns.flags.CD) for query in asked] == [False, False, True]
    assert all(query.flags & dns.flags.AD for query in asked)
