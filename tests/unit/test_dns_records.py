"""The records of a server, by zone, and how they are printed."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any

import dns.zone
import pytest

from mailstack import Settings
from mailstack.components.component import Component, Site
from mailstack.components.declarations import Record
from mailstack.components.web import WEB
from mailstack.dns.asking import normal
from mailstack.dns.printed import printed, zone_file
from mailstack.dns.records import Known, Zone, host_zone, kind_of, reverse, text_data, text_of, zones
from mailstack.facts.addresses import HostAddresses, public
from mailstack.facts.dkim import DkimKey
from tests.support.sites import site

HOST = "mail.example.org"
KEY = DkimKey("example.org", "rsa1", f'"v=DKIM1; k=rsa; " "p={"A" * 400}"', signs=True)
KNOWN = Known(
    domains=["example.net", "example.org"],
    relayed=["relayed.example"],
    addresses=["192.0.2.1", "2001:db8::1"],
    keys={"rsa1._domainkey.example.org": KEY},
    tlsa=["3 1 1 " + "ab" * 32],
)


class Declared(Component):
    """Declare these records of the domain example.org."""

    name = "declared"

    def __init__(self, *records: Record) -> None:
        self.declared = records

    def records(self, site: Site, domain: str) -> Sequence[Record]:
        """See ``Component``."""
        return self.declared if domain == "example.org" else ()


def with_records(*records: Record, hostname: str = HOST) -> Site:
    here = site(Settings(mail_hostname=hostname))
    return Site(here.settings, here.topology, here.endpoints, (*here.components, Declared(*records)))


def found(here: Site, known: Known = KNOWN) -> dict[str, tuple[Record, ...]]:
    return {zone.name: zone.records for zone in zones(here, known)}


def test_the_host_is_in_the_zone_of_the_domain_that_it_is_below() -> None:
    by_zone = found(site(Settings(mail_hostname=HOST)))
    assert list(by_zone) == ["example.net", "example.org", "relayed.example"]
    assert Record(HOST, "AAAA", "2001:db8::1") in by_zone["example.org"]
    assert Record(HOST, "TXT", '"v=spf1 a -all"') in by_zone["example.org"]
    assert Record(f"_25._tcp.{HOST}", "TLSA", KNOWN.tlsa[0]) in by_zone["example.org"]
    assert all(record.name.endswith("example.net") for record in by_zone["example.net"])
    assert Record("example.net", "MX", f"10 {HOST}.") in by_zone["example.net"]


def test_a_domain_below_another_has_its_own_records() -> None:
    by_zone = found(site(Settings(mail_hostname=HOST)), Known(["example.org", "sub.example.org"]))
    assert Record("sub.example.org", "MX", f"10 {HOST}.") in by_zone["sub.example.org"]
    assert not any("sub." in record.name for record in by_zone["example.org"])
    # also if it comes first in the alphabet
    by_zone = found(site(Settings(mail_hostname=HOST)), Known(["a.example.org", "example.org"]))
    assert Record("_imaps._tcp.a.example.org", "SRV", f"0 1 993 {HOST}.") in by_zone["a.example.org"]


def test_a_host_below_no_domain_has_a_zone_of_its_own() -> None:
    by_zone = found(site(Settings(mail_hostname="mx.example.com")))
    assert Record("mx.example.com", "A", "192.0.2.1") in by_zone["mx.example.com"]
    assert Record("_25._tcp.mx.example.com", "TLSA", KNOWN.tlsa[0]) in by_zone["mx.example.com"]


def test_a_domain_that_is_the_host_has_one_spf_record() -> None:
    here = site(Settings(mail_hostname="example.org"))
    texts = [record.data for record in found(here)["example.org"] if record[:2] == ("example.org", "TXT")]
    assert texts == ['"v=spf1 mx -all"']


def test_a_relayed_domain_keeps_its_own_records() -> None:
    (zone,) = [zone for zone in zones(site(Settings(mail_hostname=HOST)), KNOWN) if zone.relayed]
    assert zone == Zone("relayed.example", (Record("relayed.example", "MX", f"20 {HOST}."),), relayed=True)


def test_an_alias_is_addresses_where_the_name_has_other_records() -> None:
    alias = Record("www.example.org", "CNAME", f"{HOST}.")
    text = Record("www.example.org", "TXT", '"x"')
    assert alias in found(with_records(alias))["example.org"]
    both = found(with_records(alias, text))["example.org"]
    assert alias not in both
    assert {Record("www.example.org", "A", "192.0.2.1"), text} <= set(both)
    # and nothing points to itself
    itself = found(with_records(Record(HOST, "CNAME", f"{HOST}.")))["example.org"]
    assert [record.type for record in itself if record.name == HOST] == ["A", "AAAA", "TXT"]


def test_a_record_for_another_domain_is_in_its_zone() -> None:
    here = site(Settings(mail_hostname=HOST, mail_dmarc_reports_to="reports@reader.example"))
    assert found(here)["reader.example"] == (
        Record("example.net._report._dmarc.reader.example", "TXT", '"v=DMARC1"'),
        Record("example.org._report._dmarc.reader.example", "TXT", '"v=DMARC1"'),
    )


@pytest.mark.parametrize("text", ["", "a", "v=DKIM1; p=" + "A" * 300, 'a "quoted" \\ text', "é" * 200])
def test_a_text_is_the_same_after_it_was_split(text: str) -> None:
    data = text_data(text)
    assert text_of(data) == text
    rdata = dns.rdata.from_text("IN", "TXT", data)
    assert b"".join(rdata.strings) == text.encode("latin-1")  # type: ignore[attr-defined]


def test_a_long_string_of_a_component_is_split() -> None:
    (record,) = [
        record
        for record in found(with_records(Record("long.example.org", "TXT", f'"{"a" * 600}"')))["example.org"]
        if record.name == "long.example.org"
    ]
    assert [len(string) for string in record.data.split()] == [257, 257, 92]


@pytest.mark.parametrize(
    "text, kind",
    [
        ("v=spf1 mx -all", "v=spf1"),
        ("v=DMARC1;p=none", "v=dmarc1"),
        ("V = DKIM1; p=", "v=dkim1"),
        ("google-site-verification=v=spf1", ""),
        ("v=spf1.example", "v=spf1"),
        ("", ""),
    ],
)
def test_the_kind_of_a_text(text: str, kind: str) -> None:
    assert kind_of(text) == kind


def test_the_addresses_backwards() -> None:
    here = site(Settings(mail_hostname=HOST))
    names = [record.name for record in reverse(here, KNOWN)]
    assert names == ["1.2.0.192.in-addr.arpa", "1." + "0." * 23 + "8.b.d.0.1.0.0.2.ip6.arpa"]


def test_a_printed_zone_is_one_of_dnspython() -> None:
    for zone in zones(site(Settings(mail_hostname=HOST)), KNOWN):
        parsed = dns.zone.from_text(zone_file(zone), zone.name, relativize=False, check_origin=False)
        names = {name.to_text().rstrip(".") for name in parsed.nodes}
        assert names == {record.name for record in zone.records}
        printed_records = sum(len(rdataset) for node in parsed.nodes.values() for rdataset in node.rdatasets)
        assert printed_records == len(zone.records)


def test_the_records_of_a_web_server_that_is_no_more_wanted() -> None:
    def former(**more: Any) -> list[tuple[str, str]]:
        here = site(Settings(mail_hostname=HOST, **more))
        retired = ["rsa1._domainkey.example.org"]
        (zone,) = zones(here, Known(["example.org"], retired=retired))
        return [each[:2] for each in zone.former]

    labels = ("mta-sts", "autoconfig", "autodiscover")
    key = ("rsa1._domainkey.example.org", "TXT")
    assert former(mail_web=True) == [key]
    assert former() == [
        *((f"{label}.example.org", "CNAME") for label in labels),
        ("_mta-sts.example.org", "TXT"),
        ("_autodiscover._tcp.example.org", "SRV"),
        key,
    ]


def test_a_former_record_is_like_the_one_of_before() -> None:
    def records(**more: Any) -> Site:
        return site(Settings(mail_hostname=HOST, **more))

    before = WEB.records(records(mail_web=True), "example.org")
    former = WEB.former_records(records(), "example.org")
    for record, each in zip(before, former, strict=True):
        assert re.fullmatch(each.pattern, normal(record.type, record.data))


def test_the_formats() -> None:
    here = site(Settings(mail_hostname=HOST))
    every, backwards = zones(here, KNOWN), reverse(here, KNOWN)
    text = printed("zone", "mx1", every, backwards, ["A note."])
    assert text.startswith("; A note.\n\n; example.net\nexample.net. 3600 IN MX 10 mail.example.org.\n")
    assert text.endswith("; 1.2.0.192.in-addr.arpa. PTR mail.example.org.\n" + text.splitlines()[-1] + "\n")
    assert all(line == "" or line[0] == ";" or " IN " in line for line in text.splitlines())

    answer = json.loads(printed("json", "mx1", every, backwards, ["A note."]))
    assert (answer["host"], answer["notes"]) == ("mx1", ["A note."])
    mx = {"name": "example.net", "type": "MX", "data": "10 mail.example.org.", "ttl": 3600}
    assert mx in answer["zones"]["example.net"]
    (key,) = [each for each in answer["zones"]["example.org"] if "_domainkey" in each["name"]]
    assert key["text"] == f"v=DKIM1; k=rsa; p={'A' * 400}"
    assert answer["reverse"][0]["type"] == "PTR"

    rows = [line.split(maxsplit=3) for line in printed("table", "mx1", every, [], []).splitlines()]
    assert ["MX", "@", "10", "mail.example.org"] in rows
    assert ["SRV", "_imaps._tcp", "0", "weight 1, port 993, target mail.example.org"] in rows
    assert ["A", "mail", "192.0.2.1"] in rows
    assert ["TXT", "rsa1._domainkey", "v=DKIM1;", f"k=rsa; p={'A' * 400}"] in rows


def test_the_json_of_several_hosts_has_a_line_for_each() -> None:
    every = zones(site(Settings(mail_hostname=HOST)), KNOWN)
    text = "".join(printed("json", name, every, [], []) for name in ("mx1", "mx2"))
    assert [json.loads(line)["host"] for line in text.splitlines()] == ["mx1", "mx2"]


@pytest.mark.parametrize("zone", ["lists.example.org", "mx.example.org"])
def test_a_table_has_full_names_where_the_zone_may_be_the_one_above(zone: str) -> None:
    here = site(Settings(mail_hostname="mx.example.org"))
    every = zones(here, Known(["lists.example.org"], addresses=["192.0.2.1"]))
    text = printed("table", "mx1", [each for each in every if each.name == zone], [], [])
    names = {line.split()[1] for line in text.splitlines()[2:]}
    assert zone in names
    assert all(name.endswith(zone) for name in names)


@pytest.mark.parametrize("domains", [["example.org"], ["example.net"], ["example.org", f"x.{HOST}"]])
def test_the_records_of_the_host_alone(domains: list[str]) -> None:
    here = site(Settings(mail_hostname=HOST))
    every = zones(here, Known(domains, addresses=["192.0.2.1"], tlsa=KNOWN.tlsa))
    assert host_zone(every, HOST) == Zone(
        HOST,
        (
            Record(HOST, "A", "192.0.2.1"),
            Record(HOST, "TXT", '"v=spf1 a -all"'),
            Record(f"_25._tcp.{HOST}", "TLSA", KNOWN.tlsa[0]),
        ),
    )


def test_the_addresses_of_a_host() -> None:
    output = """\
2: eth0    inet 192.0.2.1/24 brd 192.0.2.255 scope global eth0\\       valid_lft forever preferred_lft forever
2: eth0    inet6 2001:db8::1/64 scope global nodad \\       valid_lft forever preferred_lft forever
2: eth0    inet6 2001:db8::2/64 scope global temporary dynamic \\       valid_lft 86400sec
2: eth0    inet6 2001:db8::3/64 scope global deprecated dynamic mngtmpaddr \\ valid_lft 86400sec
3: eth1    inet 10.0.0.1/8 brd 10.255.255.255 scope global eth1\\       valid_lft forever
4: tun0    inet 192.0.2.9 peer 192.0.2.8/32 scope global tun0\\       valid_lft forever
"""
    every = ("10.0.0.1", "192.0.2.1", "192.0.2.9", "2001:db8::1")
    assert HostAddresses.of().parse(output) == every
    assert HostAddresses.of().parse("10.0.0.1 192.0.2.1 192.0.2.9 2001:db8::1 \n") == every
    assert public(every) == every[1:]
    assert public(["172.17.0.2", "172.32.0.1", "fd00::1", "100.64.0.1"]) == ("172.32.0.1",)
