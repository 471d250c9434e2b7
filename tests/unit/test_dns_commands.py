"""The commands about DNS records: what their arguments mean. The host and the DNS are made up."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from pyinfra.api.exceptions import OperationError

from mailstack import Settings, dns, hosts
from mailstack.components.component import Site, site_of
from mailstack.components.declarations import Record
from mailstack.dns import commands, known
from mailstack.dns.asking import Answer, Asker, Server
from mailstack.dns.checks import Check, Finding
from mailstack.dns.domains import Domains, MailDomains
from mailstack.dns.records import Known, Zone
from mailstack.facts.addresses import HOST_ADDRESSES
from mailstack.facts.dkim import RETIRED_KEYS, DkimKey
from mailstack.facts.tlsa import TlsaKey, TlsaRecords
from mailstack.topology import Node, Topology
from tests.support.sites import site

HOST = "mail.example.org"
SITE = site(Settings(mail_hostname=HOST))
ADDRESSES = ["10.0.0.1", "192.0.2.1", "2001:db8::1"]

if TYPE_CHECKING:  # mypy fails if one of these is not ignored for a reason

    def _wrong_calls() -> None:
        dns.zone("example.org", format="json", name="Print")
        dns.zone(1)  # type: ignore[arg-type]
        dns.zone(fromat="json")  # type: ignore[call-arg]
        dns.check(format="json")  # type: ignore[call-arg]
        dns.publish(b"example.org")  # type: ignore[arg-type]


@pytest.fixture
def addresses(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make a host with these addresses, which a test may change, and with the domain example.org."""
    found = list(ADDRESSES)

    def read(question: Any, host: object = None) -> object:
        if isinstance(question, Domains):
            return MailDomains(("example.org",), ("relayed.example",))
        return tuple(found) if question == HOST_ADDRESSES else {}

    monkeypatch.setattr(known, "read", read)
    return found


def chosen(*named: str) -> list[Zone]:
    return commands._zones(SITE, known.known_to(SITE, named), named)


@pytest.mark.usefixtures("addresses")
def test_the_domains_that_are_named() -> None:
    assert [zone.name for zone in chosen()] == ["example.org", "relayed.example"]
    assert [zone.name for zone in chosen("later.example")] == ["later.example"]
    (relayed,) = chosen("relayed.example")
    assert [record.type for record in relayed.records] == ["MX"]


@pytest.mark.usefixtures("addresses")
def test_the_name_of_the_host_means_its_records_alone() -> None:
    (zone,) = chosen(HOST)
    assert [record[:2] for record in zone.records] == [(HOST, "A"), (HOST, "AAAA"), (HOST, "TXT")]
    # they are there once, and the domain has them
    assert chosen("example.org", HOST) == chosen("example.org")
    assert Record(HOST, "A", "192.0.2.1") in chosen("example.org")[0].records


@pytest.mark.usefixtures("addresses")
def test_the_host_is_checked_if_it_or_nothing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Check, "zone", lambda self, zone: [])
    monkeypatch.setattr(Check, "host", lambda self: [Finding("notice", HOST)])
    monkeypatch.setattr(Asker, "ask", lambda *_, **__: Answer(code="NXDOMAIN"))

    def checked(*named: str) -> Sequence[str]:
        found = commands._findings(SITE, named)
        return [name for name, findings in found.items() if findings]

    assert checked() == [HOST]
    assert checked(HOST) == [HOST]
    assert checked("example.org") == []


ACME = {"mail_acme": True, "mail_acme_email": "admin@example.net"}
ON_HOST: dict[str, Any] = {"mail_tls_certificate": "host:/etc/c.pem", "mail_tls_key": "host:/etc/k.pem"}


@pytest.mark.parametrize(
    ("given", "used"),
    [
        ({}, ["current", "next"]),
        (ACME, ["current", "next"]),
        ({**ACME, "mail_acme_rsa": True}, ["current", "current-rsa", "next", "next-rsa"]),
        (ON_HOST, ["current"]),
    ],
)
def test_the_keys_that_belong_into_the_dns(
    given: dict[str, Any], used: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where files of earlier settings are left."""
    names = ("current", "current-rsa", "next", "next-rsa")
    tlsa = {name: TlsaKey(name, datetime.now(UTC)) for name in names}

    def read(question: Any, host: object = None) -> object:
        if isinstance(question, Domains):
            return MailDomains(("example.org",))
        return tlsa if isinstance(question, TlsaRecords) else {}

    monkeypatch.setattr(known, "read", read)
    here = site(Settings(mail_hostname=HOST, mail_dns_addresses=["192.0.2.1"], **given))
    assert known.known_to(here, ()).tlsa == used


def test_a_host_behind_a_router_is_told_which_setting_is_for_it(addresses: list[str]) -> None:
    def notes() -> list[str]:
        return [each for each in commands._notes(SITE, known.known_to(SITE, ()), ()) if "DKIM" not in each]

    assert notes() == []
    addresses.remove("192.0.2.1")
    (note,) = notes()
    assert note.startswith("The host has no IPv4 address that the world reaches")
    assert "mail_dns_addresses" in note
    addresses.remove("2001:db8::1")
    assert notes() == ["The host has no address that the world reaches: set mail_dns_addresses."]


SILENT = "192.0.2.9"


@pytest.fixture
def silence(addresses: list[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make name servers that do not answer, and return what they were asked for."""
    asked: list[str] = []

    def ask(self: Asker, name: str, kind: str, server: Server | None = None, **_: object) -> Answer:
        asked.append(name)
        return Answer()

    monkeypatch.setattr(Asker, "ask", ask)
    return asked


def test_a_silent_resolver_is_told_by_its_setting_after_one_question(silence: list[str]) -> None:
    here = site(Settings(mail_hostname=HOST, mail_dns_resolver=SILENT))
    with pytest.raises(OperationError, match=f"mail_dns_resolver = {SILENT}: does not answer"):
        commands._findings(here, ())
    assert len(silence) == 1
    with pytest.raises(OperationError, match="does not answer; mail_dns_resolver names another"):
        commands._findings(SITE, ())


@pytest.mark.usefixtures("addresses")
@pytest.mark.parametrize("own", [False, True])
def test_keys_of_a_certificate_of_ones_own_are_not_deleted(
    own: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its next one is in the DNS before mailstack knows it."""
    paths: dict[str, Any] = {
        "mail_tls_certificate": "host:/etc/x/cert.pem",
        "mail_tls_key": "host:/etc/x/key.pem",
    }
    here = site(Settings(mail_hostname=HOST, **(paths if own else {})))
    stale = f"3 1 1 {'b' * 64}"

    def ask(self: Asker, name: str, kind: str, server: Server | None = None, **_: object) -> Answer:
        data = (stale,) if (name, kind) == (f"_25._tcp.{HOST}", "TLSA") else ()
        return Answer(data, "", "NOERROR", "example.org")

    def known(*_: object) -> Known:
        return Known(["example.org"], tlsa=[f"3 1 1 {'a' * 64}"])

    monkeypatch.setattr(Asker, "ask", ask)
    monkeypatch.setattr(commands, "known_to", known)
    some = commands._changed(here, "192.0.2.53", ())["example.org"]
    assert [change.record.data for change in some if change.sign == "-"] == ([] if own else [stale])


def test_a_silent_server_is_told_by_its_setting_after_one_question(silence: list[str]) -> None:
    with pytest.raises(OperationError, match=f"mail_dns_server = {SILENT}: does not answer"):
        commands._changed(SITE, SILENT, ("example.org",))
    assert len(silence) == 1


MX1, MX2, BACK = (
    Node("mx1", ("mx", "imap"), "192.0.2.1"),
    Node("mx2", ("mx", "imap"), "192.0.2.2"),
    Node("back", ("imap",), "192.0.2.3"),
)


def several(here: Node, *away: Node) -> Site:
    """Return one of three mail hosts; those that are away are not in the run."""
    nodes = (Node("db", ("db",), "192.0.2.9"), MX1, MX2, BACK)
    reached = frozenset(node.name for node in nodes if node not in away)
    return site_of(Settings(mail_hostname=HOST), Topology(here, nodes, reached))


@pytest.fixture
def known_on(monkeypatch: pytest.MonkeyPatch) -> Callable[[Site], Known]:
    """Make hosts that know their own address, certificate and DKIM keys, and return what a site knows."""

    def read(here: Node, question: Any, host: Any = None) -> object:
        node: Node = host or here
        if isinstance(question, Domains):
            return MailDomains(("example.org",))
        if question == HOST_ADDRESSES:
            return (node.address,)
        if isinstance(question, TlsaRecords):
            return {"current": TlsaKey(f"3 1 1 {node.name}", datetime.now(UTC))}
        if question == RETIRED_KEYS:
            return ("rsa1._domainkey.example.org",) if node == MX2 else ()
        key = DkimKey("example.org", f"rsa{node.name}", f'"v=DKIM1; p={node.name}"', signs=True)
        twice = DkimKey("example.org", "rsa9", f'"v=DKIM1; p={node.name == "mx2"}"', signs=False)
        return {f"{each.selector}._domainkey.example.org": each for each in (key, twice)}

    def known_on(site: Site) -> Known:
        monkeypatch.setattr(known, "read", partial(read, site.here))
        return known.known_to(site, ())

    monkeypatch.setattr(hosts, "host_of", lambda node: node)
    return known_on


def test_the_zone_of_several_mail_hosts_is_that_of_each(
    known_on: Callable[[Site], Known], monkeypatch: pytest.MonkeyPatch
) -> None:
    warned: list[str] = []
    monkeypatch.setattr(known, "warn_once", warned.append)
    found = [known_on(several(here)) for here in (MX1, MX2, BACK)]
    assert found[0] == found[1] == found[2]
    assert list(found[0].keys) == [f"rsa{name}._domainkey.example.org" for name in ("mx1", "mx2", "back")]
    # mail comes in by those in mx alone
    assert (found[0].addresses, found[0].tlsa) == (("192.0.2.1", "192.0.2.2"), ["3 1 1 mx1", "3 1 1 mx2"])
    assert found[0].retired == ["rsa1._domainkey.example.org"]
    assert warned[0].startswith("rsa9._domainkey.example.org is one key on mx1 and another on mx2")
    assert known.unreached(several(MX1)) == []


def test_a_mail_host_that_is_not_reached_is_told(
    known_on: Callable[[Site], Known], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "warn_once", lambda text: None)
    here = several(MX1, MX2)
    found = known_on(here)
    assert [name.partition(".")[0] for name in found.keys] == ["rsamx1", "rsa9", "rsaback"]
    assert "The records of mx2 are missing: not reached." in commands._notes(here, found, ())
    with pytest.raises(
        OperationError, match=r"^mx2: not reached, .*allowed: a run that reaches all mail hosts, or "
    ):
        commands._changed(here, SILENT, ())


def test_hosts_with_names_of_their_own_have_their_own_records(
    known_on: Callable[[Site], Known], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "warn_once", lambda text: None)
    names = [replace(node, hostname=f"{node.name}.example.org") for node in (MX1, MX2, BACK)]
    nodes = (Node("db", ("db",), "192.0.2.9"), *names)
    sites = [
        site_of(
            Settings(mail_hostname=str(node.hostname), mail_web=True, **ON_HOST),
            Topology(node, nodes, frozenset(each.name for each in nodes)),
        )
        for node in names
    ]
    for node, here in zip(names, sites, strict=True):
        found = known_on(here)
        assert (found.addresses, found.tlsa) == ((node.address,), [f"3 1 1 {node.name}"])
        assert len(found.keys) == 3
        (zone,) = commands._zones(here, found, ["example.org"])
        assert {each.name for each in zone.records if each.type == "A"} == {node.hostname}
        aliases = {each.data for each in zone.records if each.type == "CNAME"}
        assert aliases == ({"mx1.example.org."} if node.name == "mx1" else set())
    assert known_on(sites[0]).others == ["back.example.org", "mx2.example.org"]


def test_a_name_that_leads_to_a_host_that_is_not_reached_is_not_checked(
    known_on: Callable[[Site], Known], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its address would be one too much. A host that takes no mail is not in the place of one that does."""
    monkeypatch.setattr(known, "warn_once", lambda text: None)
    with pytest.raises(OperationError, match=rf"^mx2: not reached, and {HOST} leads there too; allowed: "):
        commands._findings(several(MX1, MX2), ())
    alone = several(BACK, MX1, MX2)
    found = known_on(alone)
    assert (found.addresses, found.tlsa) == ((), [])
    assert not any("address" in note for note in commands._notes(alone, found, ()))


def test_a_key_that_one_host_has_deleted_is_not_that_of_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """MX2 and BACK sign with different keys of one name, of which the DNS has one."""

    def read(question: Any, host: Any = None) -> object:
        if isinstance(question, Domains):
            return MailDomains(("example.org",))
        if question == RETIRED_KEYS:
            return () if host in (MX2, BACK) else ("rsa1._domainkey.example.org",)
        if host not in (MX2, BACK) or isinstance(question, TlsaRecords) or question == HOST_ADDRESSES:
            return {}
        return {"rsa1._domainkey.example.org": DkimKey("example.org", "rsa1", f'"p={host.name}"', True)}

    monkeypatch.setattr(known, "read", read)
    monkeypatch.setattr(known, "warn_once", lambda text: None)
    monkeypatch.setattr(hosts, "host_of", lambda node: node)
    found = known.known_to(several(MX1), ())
    assert (found.keys, found.retired) == ({}, [])
