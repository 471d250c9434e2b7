"""The check of records against name servers that a test makes up."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from mailstack import Settings
from mailstack.components.declarations import Record
from mailstack.dns.asking import Answer, Asker, Server, normal
from mailstack.dns.checks import Check, Finding
from mailstack.dns.compare import Group, compared, groups
from mailstack.dns.records import Known, Zone, reverse, zones
from tests.support.sites import site

HOST = "mail.example.org"
KNOWN = Known(["example.org"], addresses=["192.0.2.1", "2001:db8::1"], tlsa=["3 1 1 " + "ab" * 32])
FIRST, SECOND = Server("ns1.example.org", "192.0.2.53"), Server("ns2.example.org", "198.51.100.53")


class Dns(Asker):
    """Two name servers of example.org and a resolver, with these records and some others."""

    def __init__(self, *records: Record, secure: bool = True) -> None:
        self.resolver = Server("", "192.0.2.99")
        self._answers = {}
        self.records, self.secure = list(records), secure
        self.of_server: Mapping[Server, list[Record]] = {}
        self.codes: dict[Server, str] = {}
        self.referred = ""  # a name that other servers have, and what those of the zone answer
        self.reference = Answer(code="NOERROR", authoritative=False, delegated=("ns.vendor.example",))
        self.unknown: dict[Server, str] = {}  # a name of which a server has nothing

    def ask(self, name: str, kind: str, server: Server | None = None, *, unchecked: bool = False) -> Answer:
        """See ``Asker``."""
        server = server or self.resolver
        if name == self.referred and server != self.resolver:
            return self.reference
        records = self.of_server.get(server, self.records)
        data = [normal(kind, each.data) for each in records if each[:2] == (name, kind)]
        code = "NOERROR" if unchecked else self.codes.get(server, "NOERROR")
        if code == "NOERROR" and name.endswith(self.unknown.get(server, "\0")):
            code = "NXDOMAIN"
        if code != "NOERROR":
            return Answer(code=code, zone="example.org")
        return Answer(tuple(sorted(data)), "", code, "example.org", self.secure)

    def servers_of(self, zone: str) -> list[Server]:
        """See ``Asker``."""
        return [FIRST, SECOND]


def wanted() -> tuple[Zone, list[Record]]:
    here = site(Settings(mail_hostname=HOST))
    (zone,) = zones(here, KNOWN)
    return zone, [*zone.records, *reverse(here, KNOWN)]


def findings(dns: Dns) -> list[Finding]:
    zone, _ = wanted()
    check = Check(dns, HOST, KNOWN.addresses)
    return [*check.zone(zone), *check.host()]


def without(*names: tuple[str, str]) -> list[Record]:
    return [record for record in wanted()[1] if record[:2] not in names]


def test_nothing_is_found_where_all_is_right() -> None:
    assert findings(Dns(*wanted()[1])) == []


def test_a_missing_record_is_found_with_what_to_paste() -> None:
    name = "_imaps._tcp.example.org"
    (found,) = findings(Dns(*without((name, "SRV"))))
    assert found == Finding("missing", f"SRV {name}", "", (f"{name}. 3600 IN SRV 0 1 993 {HOST}.",))
    # the consequence is found, too
    first, second = findings(Dns(*without(("example.org", "MX"))))
    assert first.subject == "MX example.org"
    assert second.text == "'v=spf1 mx -all': mail from 192.0.2.1, 2001:db8::1 does not pass"


@pytest.mark.parametrize("name, kind", sorted({record[:2] for record in wanted()[1]}))
def test_each_record_is_missed(name: str, kind: str) -> None:
    kinds = [found.kind for found in findings(Dns(*without((name, kind))))]
    assert set(kinds) & {"missing", "different"}


def test_a_record_that_one_server_lacks_is_found_with_that_server() -> None:
    dns = Dns(*wanted()[1])
    dns.of_server = {SECOND: without(("example.org", "MX"))}
    (found,) = findings(dns)
    assert found.subject == "MX example.org (at ns2.example.org (198.51.100.53))"


def test_an_mx_elsewhere() -> None:
    (found,) = findings(Dns(*wanted()[1], Record("example.org", "MX", "10 old.example.net.")))
    text = "there is also '10 old.example.net.', so that other hosts get mail"
    assert found[:3] == ("extra", "MX example.org", text)
    (found,) = findings(Dns(*wanted()[1], Record("example.org", "MX", "50 backup.example.net.")))
    assert found.kind == "notice"
    only = [*without(("example.org", "MX")), Record("example.org", "MX", "10 old.example.net.")]
    assert {each.kind for each in findings(Dns(*only))} >= {"different"}


def test_the_other_mail_hosts_of_a_server_are_not_too_much() -> None:
    service, other = "_imaps._tcp.example.org", "mx2.example.org"
    more = Record("example.org", "MX", f"10 {other}."), Record(service, "SRV", f"0 1 993 {other}.")
    dns = Dns(*wanted()[1], *more)
    assert {each.kind for each in findings(dns)} == {"extra"}
    assert list(Check(dns, HOST, KNOWN.addresses, [other]).zone(wanted()[0])) == []
    dns = Dns(*without((service, "SRV")), *more)
    (found,) = Check(dns, HOST, KNOWN.addresses, [other]).zone(wanted()[0])
    assert found.subject == f"SRV {service}"


def test_the_mx_hosts_of_a_relayed_domain_are_its_own() -> None:
    zone = Zone("relayed.example", (Record("relayed.example", "MX", f"20 {HOST}."),), relayed=True)
    primary = Record("relayed.example", "MX", "10 mx.relayed.example.")
    assert list(Check(Dns(primary, *zone.records), HOST, KNOWN.addresses).zone(zone)) == []
    (found,) = Check(Dns(primary), HOST, KNOWN.addresses).zone(zone)
    assert found.kind == "different"


def test_two_spf_records() -> None:
    (found,) = findings(Dns(*wanted()[1], Record("example.org", "TXT", '"v=spf1 a -all"')))
    assert found.kind == "extra"
    assert "there are 2, and receivers then use none" in found.text
    assert found.paste == ('example.org. 3600 IN TXT "v=spf1 mx -all"',)


def test_a_text_of_others_is_not_looked_at() -> None:
    assert findings(Dns(*wanted()[1], Record("example.org", "TXT", '"google-site-verification=x"'))) == []


@pytest.mark.parametrize(
    "text, kind, said",
    [
        ("v=spf1 ip4:192.0.2.1 ip6:2001:db8::1 ~all", "notice", "by which this host passes"),
        ("v=spf1 ip4:192.0.2.1 -all", "different", "mail from 2001:db8::1 does not pass"),
        (
            "v=spf1 mx a/99 ~all",
            "different",
            "allowed: 0 to 32: receivers ignore it",
        ),
        ("v=spf1 -ip4:192.0.2.0/24 mx -all", "different", "mail from 192.0.2.1 does not pass"),
        ("v=spf1 mx ?all", "different", "it does not end with -all or ~all"),
        ("v=spf1 mx a a a a a a a a a a -all", "different", "it needs 11 look-ups"),
    ],
)
def test_an_spf_record_of_another_form(text: str, kind: str, said: str) -> None:
    records = [
        record._replace(data=f'"{text}"') if record[:2] == ("example.org", "TXT") else record
        for record in [*wanted()[1], Record("example.org", "A", "192.0.2.80")]
    ]
    (found,) = findings(Dns(*records))
    assert found.kind == kind
    assert said in found.text


@pytest.mark.parametrize(
    "text, kind",
    [
        ("v=DMARC1; p=none; rua=mailto:a@example.org", "different"),
        ("v=DMARC1; p=quarantine; sp=none", "different"),
        ("v=DMARC1; p=reject", "notice"),
        ("v=DMARC1; p=reject; sp=none", "different"),
        ("v=DMARC1; p=quarantine; t=y", "different"),
        ("v=DMARC1; p=quarantine; pct=50", "different"),
        ("v=DMARC1;p=quarantine;sp=quarantine;rua=mailto:postmaster@example.org;", "right"),
    ],
)
def test_a_dmarc_record(text: str, kind: str) -> None:
    (group,) = groups([record for record in wanted()[1] if record.name == "_dmarc.example.org"])
    assert compared(group, Answer((text,), code="NOERROR")).kind == kind


def test_a_key_is_the_same_in_other_pieces() -> None:
    group = Group("k", "TXT", (Record("k", "TXT", '"v=DKIM1; k=rsa; " "p=AB"'),))
    assert compared(group, Answer(("v=DKIM1;k=rsa;p=A B",), code="NOERROR")).kind == "right"
    assert compared(group, Answer(("v=DKIM1; k=rsa; p=AC",), code="NOERROR")).kind == "different"


@pytest.mark.parametrize(
    "texts, kind",
    [
        (("k=rsa; p=AB",), "right"),
        (("v=DKIM1; p=AB",), "right"),
        (("p=AB",), "right"),
        (("k=ed25519; p=AB",), "different"),
        (("k=rsa; p=AC",), "different"),
        (("v=DKIM1; k=rsa; p=AB", "k=rsa; p=AC"), "extra"),
        (("v=DKIM1; k=rsa; p=AB", "k=rsa; p=AB"), "extra"),
    ],
)
def test_a_key_in_another_form(texts: tuple[str, ...], kind: str) -> None:
    group = Group("k", "TXT", (Record("k", "TXT", '"v=DKIM1; k=rsa; p=AB"'),))
    assert compared(group, Answer(texts, code="NOERROR")).kind == kind
    ed25519 = Group("k", "TXT", (Record("k", "TXT", '"v=DKIM1; k=ed25519; p=AB"'),))
    assert compared(ed25519, Answer(("v=DKIM1; p=AB",), code="NOERROR")).kind == "different"


def test_an_address_that_is_not_the_hosts() -> None:
    found = findings(Dns(*wanted()[1], Record(HOST, "A", "198.51.100.7")))
    assert ("extra", f"A {HOST}") in [each[:2] for each in found]
    assert any("198.51.100.7, which is not the host's" in each.text for each in found)


def test_an_address_that_leads_to_another_name() -> None:
    name = "1.2.0.192.in-addr.arpa"
    records = [*without((name, "PTR")), Record(name, "PTR", "static.provider.example.")]
    (found,) = findings(Dns(*records))
    assert found == Finding(
        "different",
        "PTR 192.0.2.1",
        "there is static.provider.example; ask the provider of the address for it",
        (f"{name}. PTR {HOST}.",),
    )


def test_a_host_that_the_world_does_not_reach() -> None:
    (found,) = Check(Dns(), HOST, []).host()
    assert found.kind == "missing"
    (found,) = Check(Dns(*without((HOST, "AAAA"))), HOST, ["192.0.2.1"]).host()
    assert found == Finding("notice", HOST, "the host has no IPv6 address")
    (found,) = Check(Dns(*without((HOST, "A"))), HOST, ["2001:db8::1"]).host()
    assert found[:2] == ("notice", HOST)
    assert "the host has no IPv4 address" in found.text
    assert "mail_dns_addresses" in found.text


def test_the_name_of_the_host_is_no_alias() -> None:
    """Addresses are found, but an MX record may not lead to it."""
    zone, records = wanted()

    class Aliased(Dns):
        def ask(
            self, name: str, kind: str, server: Server | None = None, *, unchecked: bool = False
        ) -> Answer:
            found = super().ask(name, kind, server, unchecked=unchecked)
            return found._replace(alias="vps7.provider.example.") if name == HOST else found

    found = list(Check(Aliased(*records), HOST, KNOWN.addresses).zone(zone))
    assert [each.subject for each in found] == [f"A {HOST}", f"AAAA {HOST}"]
    assert "it is a CNAME for vps7.provider.example., which the host of MX records can't be" in found[0].text


def test_an_alias_may_be_addresses() -> None:
    zone = Zone("example.org", (Record("www.example.org", "CNAME", f"{HOST}."),))
    right = [Record("www.example.org", "A", "192.0.2.1")]
    assert list(Check(Dns(*right), HOST, KNOWN.addresses).zone(zone)) == []
    wrong = [*right, Record("www.example.org", "A", "198.51.100.7")]
    (found,) = Check(Dns(*wrong), HOST, KNOWN.addresses).zone(zone)
    said = "it has A records, and a CNAME can't be beside others: delete these first"
    assert found[:3] == ("different", "CNAME www.example.org", said)
    (found,) = Check(Dns(), HOST, KNOWN.addresses).zone(zone)
    assert found[:3] == ("missing", "CNAME www.example.org", "")


def test_what_an_spf_record_of_others_lists_is_not_lost() -> None:
    others = Record("example.org", "TXT", '"v=spf1 include:spf.example.net Ip4:192.0.2.7 MX -all"')
    advice = "first put into mail_spf_mechanisms what should stay of include:spf.example.net, Ip4:192.0.2.7"
    (found,) = findings(Dns(*without(("example.org", "TXT")), others))
    assert found.kind == "different"
    assert found.text.endswith(f"; {advice}")
    (found,) = findings(Dns(*wanted()[1], others))
    assert found.kind == "extra"
    assert found.text.endswith(f"; {advice}")
    # a redirect is no mechanism, and an include has what it lists
    redirected = others._replace(data='"v=spf1 redirect=spf.example.net"')
    (found,) = findings(Dns(*without(("example.org", "TXT")), redirected))
    assert found.text.endswith("should stay of include:spf.example.net")
    # the record of the host's own name has none of these
    (found,) = findings(Dns(*without((HOST, "TXT")), others._replace(name=HOST)))
    assert "mail_spf_mechanisms" not in found.text


def test_a_domain_that_does_not_exist_is_one_finding() -> None:
    later = "later.example.org"
    (zone,) = zones(site(Settings(mail_hostname="mail.example.net")), Known([later]))[:1]
    dns = Dns()
    dns.unknown = dict.fromkeys((FIRST, SECOND, dns.resolver), later)
    (found,) = Check(dns, HOST, KNOWN.addresses).zone(zone)
    assert found[:3] == ("missing", later, "the DNS has no such name")
    assert len(found.paste) == len(zone.records)
    # not if a server has it already
    del dns.unknown[SECOND]
    assert f"MX {later}" in {each.subject.split(" (")[0] for each in Check(dns, HOST, []).zone(zone)}


def test_caa_records_of_others_are_a_notice() -> None:
    group = Group(HOST, "CAA", (Record(HOST, "CAA", '0 issue "letsencrypt.org"'),))
    both = Answer(('0 issue "ca.example"', '0 issue "letsencrypt.org"'), code="NOERROR")
    assert compared(group, both).kind == "notice"
    srv = Group("s", "SRV", (Record("s", "SRV", "0 1 993 a."),))
    assert compared(srv, Answer(("0 1 993 a.", "0 1 993 b."), code="NOERROR")).kind == "extra"


def test_a_relayed_domain_has_mx_records_of_its_own() -> None:
    group = Group("r.example", "MX", (Record("r.example", "MX", f"20 {HOST}."),))
    both = Answer((f"20 {HOST}.", "10 mx.r.example."), code="NOERROR")
    assert compared(group, both, relayed=True).kind == "right"
    assert compared(group, both).kind == "extra"


def test_the_order_of_an_spf_record_counts() -> None:
    group = Group("d", "TXT", (Record("d", "TXT", '"v=spf1 mx ip4:192.0.2.7 -all"'),))
    assert compared(group, Answer(("V=spf1  MX ip4:192.0.2.7 -all",), code="NOERROR")).kind == "right"
    assert compared(group, Answer(("v=spf1 ip4:192.0.2.7 mx -all",), code="NOERROR")).kind == "different"


def test_a_text_without_a_tag_is_there_or_missing() -> None:
    group = Group("d", "TXT", (Record("d", "TXT", '"a=b; C"'),))
    assert compared(group, Answer(("another", "a=b; C"), code="NOERROR")).kind == "right"
    assert compared(group, Answer(("a=b; c",), code="NOERROR")).kind == "missing"
    assert compared(group, Answer((), code="NXDOMAIN")).kind == "missing"


def test_dnssec() -> None:
    (found,) = findings(Dns(*wanted()[1], secure=False))
    assert found == Finding(
        "notice", "example.org", "it has no DNSSEC, and without it TLSA records say nothing"
    )
    signed = Dns(*wanted()[1], Record("example.org", "DS", "1 13 2 " + "ab" * 32), secure=False)
    (found,) = findings(signed)
    assert "which the resolver 192.0.2.99 does not validate" in found.text
    broken = Dns(*wanted()[1])
    broken.codes = {broken.resolver: "SERVFAIL"}
    assert findings(broken)[0] == Finding(
        "different", "example.org", "DNSSEC is broken: resolvers that validate it get no answer"
    )


def test_a_name_server_that_is_away_is_named_and_the_others_are_asked() -> None:
    dns = Dns(*wanted()[1])
    dns.codes = {FIRST: "no answer"}
    (found,) = findings(dns)
    assert found == Finding("notice", "example.org", "no answer from ns1.example.org (192.0.2.53)")


@pytest.mark.parametrize(
    "reference",
    [
        Answer(code="NOERROR", authoritative=False, delegated=("ns.vendor.example",)),
        Answer(code="NOERROR", alias="_dmarc.vendor.example."),
    ],
)
def test_what_is_elsewhere_is_looked_for_where_it_is(reference: Answer) -> None:
    """The resolver finds it; the name servers of the zone only refer to others."""
    _, records = wanted()
    dns = Dns(*records)
    dns.referred, dns.reference = "_dmarc.example.org", reference
    assert findings(dns) == []
    dns.records = [each for each in records if each.name != dns.referred]
    (found,) = findings(dns)
    assert (found.kind, found.subject) == ("missing", "TXT _dmarc.example.org")
