"""Questions to name servers, from the machine that runs pyinfra.

It is another than the mail server, so it sees what the world sees.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.resolver

_TIMEOUT, _TRIES = 3.0, 2
_ADDRESSES = ("A", "AAAA")
_NOT_BESIDE_A_CNAME = (*_ADDRESSES, "TXT", "MX", "SRV", "CAA", "NS")
_NOBODY = "nobody-has-this-name"


class Server(NamedTuple):
    """A name server: its name and its address."""

    name: str
    address: str

    def __str__(self) -> str:
        return f"{self.name} ({self.address})" if self.name else f"the resolver {self.address}"


class Answer(NamedTuple):
    """What a server said.

    + data: the records of the type that was asked for; of TXT the text, otherwise as in a zone file
    + alias: the name that the name is a CNAME of
    + code: the response code, such as ``NOERROR``, or ``no answer``
    + zone: the zone that the name is in, by the SOA record of the answer
    + secure: whether the server has validated it (DNSSEC)
    + authoritative: whether it is of a zone that the server has itself
    + delegated: the name servers that have the name, if the server only refers to them
    """

    data: tuple[str, ...] = ()
    alias: str = ""
    code: str = "no answer"
    zone: str = ""
    secure: bool = False
    authoritative: bool = True
    delegated: tuple[str, ...] = ()

    @property
    def is_silence(self) -> bool:
        """Return whether the server does not answer at all."""
        return self.code == "no answer"

    @property
    def is_elsewhere(self) -> bool:
        """Return whether other servers have the records, as the name is delegated, or a CNAME."""
        return bool(self.delegated or (self.alias and not self.data))


Ask = Callable[[str, str], Answer]
"""Return what a server says of a name and type."""


class Asker:
    """The DNS as one run sees it: each question is asked once.

    + resolver: the address of a resolver; by default that of this machine
    """

    def __init__(self, resolver: str | None = None) -> None:
        address = resolver or str(next(iter(_own_resolvers()), "127.0.0.1"))
        self.resolver = Server("", address)
        self._answers: dict[tuple[Server, str, str, bool], Answer] = {}

    def ask(self, name: str, kind: str, server: Server | None = None, *, unchecked: bool = False) -> Answer:
        """Ask for the records of a name and type.

        + server: the server, by default the resolver
        + unchecked: whether the resolver should answer even if DNSSEC is broken
        """
        key = (server or self.resolver, name, kind, unchecked)
        if key not in self._answers:
            self._answers[key] = _ask(*key, recursive=key[0] == self.resolver)
        return self._answers[key]

    def data(self, name: str, kind: str) -> tuple[str, ...]:
        """Return the data that the resolver has, even if DNSSEC is broken."""
        return self.ask(name, kind, unchecked=True).data

    def zone_of(self, name: str) -> str:
        """Return the zone that a name is in, even with broken DNSSEC; empty if the resolver does not know."""
        return zone_at(name, partial(self.ask, unchecked=True)).zone

    def servers_of(self, zone: str) -> list[Server]:
        """Return the name servers of a zone, at the addresses of the versions of IP that this machine has."""
        hosts = [host.rstrip(".") for host in self.data(zone, "NS")]
        return [
            Server(host, address)
            for host in hosts
            for kind in _ADDRESSES
            for address in self.data(host, kind)
            if _has_route(address)
        ]


def own(name: str, kind: str, ask: Ask) -> Answer:
    """Return the records of a name itself, without those that a wildcard makes up (RFC 4592).

    Names below and beside it, which nobody has, then get the same.
    """
    answer = ask(name, kind)
    nobodys = (f"{_NOBODY}.{name.partition('.')[2]}", f"{_NOBODY}.{name}")
    if any(answer[:2]) and all(ask(each, kind)[:2] == answer[:2] for each in nobodys):
        return answer._replace(data=(), alias="")
    return answer


def zone_at(name: str, ask: Ask) -> Answer:
    """Return the answer that has the ``zone`` of a name on a server, or whom it is ``delegated`` to."""
    while True:
        answer = ask(name, "SOA")
        # of an alias, it would be the zone of another name
        if not answer.alias or "." not in name:
            return answer
        name = name.partition(".")[2]


def beside(name: str, ask: Ask) -> list[str]:
    """Return the types of the records of a name, beside which there can be no CNAME (RFC 1034, 3.6.2)."""
    return [kind for kind in _NOT_BESIDE_A_CNAME if own(name, kind, ask).data]


def _has_route(address: str) -> bool:
    """Return whether this machine could send anything to an address. Nothing is sent."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((address, 53))
    except OSError:
        return False
    return True


def _own_resolvers() -> Iterator[str]:
    try:
        yield from map(str, dns.resolver.get_default_resolver().nameservers)
    except dns.exception.DNSException:  # there is no resolv.conf
        return


def _ask(server: Server, name: str, kind: str, unchecked: bool, recursive: bool) -> Answer:
    try:
        query = dns.message.make_query(name, kind, want_dnssec=True)
    except dns.exception.DNSException:  # a name that another record has, and that can be none
        return Answer(code="NXDOMAIN")
    query.flags |= dns.flags.AD
    if unchecked:
        query.flags |= dns.flags.CD
    if not recursive:
        query.flags &= ~dns.flags.RD
    for _ in range(_TRIES):
        with suppress(dns.exception.DNSException, OSError):
            response, _ = dns.query.udp_with_fallback(query, server.address, timeout=_TIMEOUT)
            return parsed(response, name, kind)
    return Answer()


def parsed(response: dns.message.Message, name: str, kind: str) -> Answer:
    """Return what a response says of this name and type."""
    wanted = dns.rdatatype.from_text(kind)
    data = [_text(rdata) for rrset in response.answer if rrset.rdtype == wanted for rdata in rrset]
    owner = dns.name.from_text(name)
    aliases = [
        rrset[0].to_text()
        for rrset in response.answer
        if rrset.rdtype == dns.rdatatype.CNAME and rrset.name == owner
    ]
    soa = [
        rrset.name.to_text().rstrip(".") or "."
        for rrset in (*response.authority, *response.answer)
        if rrset.rdtype == dns.rdatatype.SOA
    ]
    return Answer(
        tuple(sorted(data)),
        aliases[0].lower() if aliases and kind != "CNAME" else "",
        dns.rcode.to_text(response.rcode()),
        soa[-1] if soa else "",
        bool(response.flags & dns.flags.AD),
        bool(response.flags & dns.flags.AA),
        _delegated(response),
    )


def _delegated(response: dns.message.Message) -> tuple[str, ...]:
    """Return the name servers of a referral: an answer that has nothing but the names of others."""
    kinds = {rrset.rdtype for rrset in response.authority}
    # a resolver that is to ask others refers to nobody
    if response.flags & (dns.flags.AA | dns.flags.RD) or response.answer or dns.rdatatype.SOA in kinds:
        return ()
    servers = [rrset for rrset in response.authority if rrset.rdtype == dns.rdatatype.NS]
    return tuple(sorted(_text(rdata).rstrip(".") for rrset in servers for rdata in rrset))


def normal(kind: str, data: str) -> str:
    """Return the data of a record as ``Answer.data`` has it."""
    return _text(
        dns.rdata.from_text(dns.rdataclass.IN, dns.rdatatype.from_text(kind), data, relativize=False)
    )


def _text(rdata: dns.rdata.Rdata) -> str:
    if rdata.rdtype == dns.rdatatype.TXT:
        return b"".join(rdata.strings).decode("latin-1")  # type: ignore[attr-defined]
    return rdata.to_text() if rdata.rdtype == dns.rdatatype.CAA else rdata.to_text().lower()
