"""What an update of a name server changes, and what it leaves alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from typing import NoReturn

import dns.query
import dns.tsig
import pytest
from pyinfra.api.exceptions import OperationError

from mailstack.components.declarations import FormerRecord, Record
from mailstack.dns.asking import Answer, normal
from mailstack.dns.records import Zone
from mailstack.dns.updates import OTHERS, Change, Key, changes, parts, send

HOST = "mail.example.org"
MX = Record("example.org", "MX", f"10 {HOST}.")
SPF = Record("example.org", "TXT", '"v=spf1 mx -all"')
SRV = Record("_imaps._tcp.example.org", "SRV", f"0 1 993 {HOST}.")
ALIAS = Record("autoconfig.example.org", "CNAME", f"{HOST}.")
CAA = Record(HOST, "CAA", '0 issue "ca.example"')


def changed(
    wanted: list[Record],
    there: list[Record],
    former: Sequence[FormerRecord] = (),
    others: Collection[str] = OTHERS,
    hosts: Collection[str] = (),
) -> tuple[list[Change], list[str]]:
    """Return the changes on a server that knows wildcards, and only the next name of an alias."""

    def answer(name: str, kind: str) -> Answer:
        encloser = name
        while encloser and not any(f".{each.name}".endswith(f".{encloser}") for each in there):
            encloser = encloser.partition(".")[2]
        name = name if encloser == name else f"*.{encloser}"
        data = [normal(kind, each.data) for each in there if each[:2] == (name, kind)]
        alias = "" if kind == "CNAME" else next((r.data for r in there if r[:2] == (name, "CNAME")), "")
        return Answer(tuple(data), alias, "NOERROR" if data else "NXDOMAIN")

    return changes(wanted, answer, HOST, former, others, hosts)


def found(wanted: list[Record], there: list[Record]) -> list[Change]:
    some, problems = changed(wanted, there)
    assert problems == []
    return some


def test_all_is_added_once() -> None:
    wanted = [MX, SPF, SRV, ALIAS, CAA]
    assert found(wanted, []) == [Change("+", record) for record in wanted]
    assert found(wanted, wanted) == []


def test_a_stale_record_of_ours_is_replaced() -> None:
    old = Record("example.org", "TXT", '"v=spf1 a -all"')
    assert found([SPF], [old]) == [Change("-", old), Change("+", SPF)]
    assert found([SPF], [old, SPF]) == [Change("-", old)]
    moved = SRV._replace(data=f"0 1 1993 {HOST}.")
    assert found([SRV], [moved]) == [Change("-", moved), Change("+", SRV)]
    preference = MX._replace(data=f"20 {HOST}.")
    assert found([MX], [preference]) == [Change("-", preference), Change("+", MX)]


@pytest.mark.parametrize(
    "wanted, others",
    [
        (SPF, Record("example.org", "TXT", '"google-site-verification=x"')),
        (SPF, Record("example.org", "TXT", '"v=other1"')),
        (SPF._replace(data='"a text without a kind"'), Record("example.org", "TXT", '"another"')),
        (MX, MX._replace(data="50 backup.example.net.")),
        (CAA, CAA._replace(data='0 issue "another.example"')),
        (SRV, Record("_imaps._tcp.example.org", "TXT", '"x"')),
    ],
)
def test_records_of_others_stay(wanted: Record, others: Record) -> None:
    assert found([wanted], [others]) == [Change("+", wanted)]


def test_each_mail_host_of_a_server_leaves_the_records_of_the_others() -> None:
    other = SRV._replace(data="0 1 993 mx2.example.org.")
    assert changed([SRV], [other], hosts=["mx2.example.org"]) == ([Change("+", SRV)], [])
    assert changed([SRV], [SRV, other], hosts=["mx2.example.org"]) == ([], [])
    assert changed([SRV], [SRV, other]) == ([Change("-", other)], [])


def test_the_key_of_a_next_certificate_of_ones_own_stays() -> None:
    wanted = Record(f"_25._tcp.{HOST}", "TLSA", f"3 1 1 {'a' * 64}")
    following = wanted._replace(data=f"3 1 1 {'b' * 64}")
    assert changed([wanted], [wanted, following])[0] == [Change("-", following)]
    assert changed([wanted], [wanted, following], others={"TLSA"})[0] == []
    assert changed([wanted], [following], others={"TLSA"})[0] == [Change("+", wanted)]


def test_what_was_its_own_before_is_deleted() -> None:
    text = Record("_mta-sts.example.org", "TXT", f'"v=STSv1; id={"0a" * 10};"')
    former = [
        FormerRecord(text.name, "TXT", "v=STSv1; id=[0-9a-f]{20};"),
        FormerRecord(ALIAS.name, "CNAME", re.escape(f"{HOST}.")),
    ]
    assert changed([MX], [MX, text, ALIAS], former)[0] == [Change("-", text), Change("-", ALIAS)]
    of_others = [text._replace(data='"v=STSv1; id=20261129;"'), ALIAS._replace(data="mail2.example.org.")]
    assert changed([MX], [MX, *of_others, Record("*.example.org", "CNAME", ALIAS.data)], former)[0] == []
    # a component that is new wants it
    assert changed([MX, ALIAS], [MX, ALIAS], former)[0] == []


def test_each_record_goes_into_the_zone_that_has_its_name() -> None:
    """Below a delegation nobody would see it; and a zone may have one of its own below it."""
    child = Record("rsa1._domainkey.example.org", "TXT", '"v=DKIM1; p=A"')
    vendors = Record("_dmarc.example.org", "TXT", '"v=DMARC1; p=none"')
    former = FormerRecord("_mta-sts.example.org", "TXT", ".*")

    def answer(name: str, kind: str) -> Answer:
        assert kind == "SOA"
        if name == vendors.name:
            return Answer(code="NOERROR", authoritative=False, delegated=("ns.vendor.example",))
        if name == ALIAS.name:  # the zone is that of the other name
            return Answer(alias=f"{HOST}.", code="NOERROR", zone="elsewhere.example")
        return Answer(
            code="NXDOMAIN", zone="_domainkey.example.org" if "_domainkey" in name else "example.org"
        )

    zone = Zone("example.org", (MX, SPF, child, vendors, ALIAS), former=(former,))
    found, away = parts(zone, "example.org", answer)
    assert {name: part.records for name, part in found.items()} == {
        "example.org": (MX, SPF, ALIAS),
        "_domainkey.example.org": (child,),
    }
    assert [part.former for part in found.values()] == [(former,), ()]
    assert away == [f"{vendors.name} is left alone: it is delegated to ns.vendor.example"]


def test_a_long_text_that_is_replaced_is_split() -> None:
    key = Record("rsa1._domainkey.example.org", "TXT", '"v=DKIM1; p=A"')
    old = key._replace(data=f'"v=DKIM1; p={"B" * 200}" "{"B" * 200}"')
    deleted, _ = found([key], [old])
    assert [len(string) - 2 for string in deleted.record.data.split('" "')] == [254, 155]


def test_all_that_is_in_the_way_is_named() -> None:
    other = ALIAS._replace(name="autodiscover.example.org")
    there = [
        Record(SRV.name, "CNAME", "x.example."),
        Record(ALIAS.name, "A", "192.0.2.80"),
        Record(ALIAS.name, "TXT", '"x"'),
        Record(other.name, "AAAA", "2001:db8::80"),
    ]
    assert changed([SRV, ALIAS, other], there)[1] == [
        f"{SRV.name} is a CNAME for x.example.: delete it, then publish again",
        f"{ALIAS.name} has A and TXT records, so that it can't be a CNAME: delete them first",
        f"{other.name} has AAAA records, so that it can't be a CNAME: delete them first",
    ]


@pytest.mark.parametrize(
    "wildcard",
    [
        Record("*.example.org", "A", "192.0.2.80"),
        Record("*.example.org", "CNAME", "x.example."),
        Record("*.example.org", "CNAME", f"{HOST}."),
        Record("*.example.org", "TXT", '"v=spf1 -all"'),
        Record("*.example.org", "MX", f"50 {HOST}."),
    ],
)
def test_a_wildcard_is_beside_all_and_stays(wildcard: Record) -> None:
    wanted = [ALIAS, Record(HOST, "TXT", '"v=spf1 a -all"'), Record("sub.example.org", "MX", MX.data)]
    assert found(wanted, [wildcard]) == [Change("+", record) for record in wanted]
    assert found(wanted, [wildcard, *wanted]) == []


def test_a_name_with_the_same_records_as_a_wildcard_is_a_name() -> None:
    wildcard = Record("*.example.org", "A", "192.0.2.80")
    (problem,) = changed([ALIAS], [wildcard, wildcard._replace(name=ALIAS.name)])[1]
    assert "has A records" in problem


def test_any_text_at_the_name_of_a_key_is_one() -> None:
    key = Record("rsa1._domainkey.example.org", "TXT", '"v=DKIM1; k=rsa; p=A"')
    old = key._replace(data='"k=rsa; p=B"')
    assert found([key], [old]) == [Change("-", old), Change("+", key)]


def test_a_server_that_refuses_to_answer() -> None:
    _, problems = changes([MX], lambda name, kind: Answer(code="REFUSED"), HOST)
    assert problems == ["the name server answers REFUSED to MX example.org"]


@pytest.mark.parametrize("error", [dns.tsig.PeerBadKey, dns.tsig.BadAlgorithm])
def test_a_wrong_key_or_algorithm_is_told_by_its_settings(
    error: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> NoReturn:
        raise error

    monkeypatch.setattr(dns.query, "tcp", refuse)
    told = "mail_dns_key_name = mail, or not as one of mail_dns_key_algorithm = hmac-sha256"
    with pytest.raises(OperationError, match=told):
        send("192.0.2.53", Key("mail", "hmac-sha256", "c2VjcmV0"), "example.org", [Change("+", MX)])


def test_a_change_is_shown_as_a_line() -> None:
    assert str(Change("+", MX)) == f"+ example.org. MX 10 {HOST}."
