"""What an update of a name server changes, and what it leaves alone."""

from __future__ import annotations

import pytest
from pyinfra.api.exceptions import OperationError

from mailstack.components.declarations import Record
from mailstack.dns.asking import Answer, normal
from mailstack.dns.updates import Change, changes

HOST = "mail.example.org"
MX = Record("example.org", "MX", f"10 {HOST}.")
SPF = Record("example.org", "TXT", '"v=spf1 mx -all"')
SRV = Record("_imaps._tcp.example.org", "SRV", f"0 1 993 {HOST}.")
ALIAS = Record("autoconfig.example.org", "CNAME", f"{HOST}.")
CAA = Record(HOST, "CAA", '0 issue "ca.example"')


def found(wanted: list[Record], there: list[Record], alias: str = "") -> list[Change]:
    def ask(name: str, kind: str) -> Answer:
        data = [normal(kind, each.data) for each in there if each[:2] == (name, kind)]
        return Answer(tuple(data), alias, "NOERROR" if data else "NXDOMAIN")

    return changes(wanted, ask, HOST)


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


def test_a_long_text_that_is_replaced_is_split() -> None:
    key = Record("rsa1._domainkey.example.org", "TXT", '"v=DKIM1; p=A"')
    old = key._replace(data=f'"v=DKIM1; p={"B" * 200}" "{"B" * 200}"')
    deleted, _ = found([key], [old])
    assert [len(string) - 2 for string in deleted.record.data.split('" "')] == [254, 155]


def test_a_name_that_is_something_else_is_refused() -> None:
    with pytest.raises(OperationError, match="is a CNAME for x"):
        found([SRV], [], alias="x.example.")
    with pytest.raises(OperationError, match="has A records"):
        found([ALIAS], [Record(ALIAS.name, "A", "192.0.2.80")])


def test_a_server_that_refuses_to_answer() -> None:
    with pytest.raises(OperationError, match="answers REFUSED to MX"):
        changes([MX], lambda name, kind: Answer(code="REFUSED"), HOST)


def test_a_change_is_shown_as_a_line() -> None:
    assert str(Change("+", MX)) == f"+ example.org. MX 10 {HOST}."
