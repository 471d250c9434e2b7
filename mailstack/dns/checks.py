"""The check of a server's records: what is missing, different or too much in the DNS, and what to paste."""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from mailstack.components.declarations import Record
from mailstack.dns.asking import Answer, Asker, Server, beside
from mailstack.dns.compare import Group, Kind, Verdict, compared, groups, listed, lost_terms
from mailstack.dns.printed import line
from mailstack.dns.records import Zone, kind_of
from mailstack.dns.spf import Spf, examine

NO_IPV4 = (
    "host has no IPv4 address that the world reaches; behind a router that translates (NAT), put that of "
    "the router into mail_dns_addresses"
)
_ANSWERS = ("NOERROR", "NXDOMAIN")


class Finding(NamedTuple):
    """A result of a check.

    + paste: the lines of the zone that it needs
    """

    kind: Kind
    subject: str
    text: str = ""
    paste: tuple[str, ...] = ()

    def __str__(self) -> str:
        head = f"{self.kind}: {self.subject}{f': {self.text}' if self.text else ''}"
        return "\n".join([head, *(f"    {each}" for each in self.paste)])


class Check:
    """The check of one host's zones.

    + addresses: the addresses by which the world reaches the host
    + others: the names of the server's other mail hosts
    """

    def __init__(
        self, asker: Asker, hostname: str, addresses: Sequence[str], others: Collection[str] = ()
    ) -> None:
        self.asker, self.hostname, self.addresses, self.others = asker, hostname, addresses, others

    def zone(self, zone: Zone) -> Iterator[Finding]:
        """Check the records of a domain, at its own name servers and at the resolver."""
        servers, silent = self._servers(zone.name)
        if silent:
            yield Finding("notice", zone.name, f"no answer from {', '.join(map(str, silent))}")
        if not servers:
            yield Finding("missing", zone.name, "the DNS has no name server for it that answers")
            return
        codes = {self.asker.ask(zone.name, "SOA", server).code for server in servers}
        if codes == {"NXDOMAIN"}:
            yield Finding("missing", zone.name, "the DNS has no such name", tuple(map(line, zone.records)))
            return
        for group in groups(zone.records):
            yield from self._group(group, servers, zone.relayed)
        yield from self._dnssec(zone)

    def host(self) -> Iterator[Finding]:
        """Check that the host's addresses lead to its name, and its name to nowhere else."""
        if not self.addresses:
            text = "the host has no address that the world reaches; allowed: mail_dns_addresses"
            yield Finding("missing", self.hostname, text)
        elif not any(":" in address for address in self.addresses):
            yield Finding("notice", self.hostname, "the host has no IPv6 address")
        elif not any("." in address for address in self.addresses):
            yield Finding("notice", self.hostname, f"the {NO_IPV4}")
        for kind in ("A", "AAAA"):
            found = {str(ipaddress.ip_address(each)) for each in self.asker.data(self.hostname, kind)}
            if more := sorted(found - set(self.addresses)):
                text = f"there is also {listed(more)}, which is not the host's"
                yield Finding("extra", f"{kind} {self.hostname}", text)
        for address in self.addresses:
            yield from self._reverse(address)

    def _servers(self, zone: str) -> tuple[list[Server], list[Server]]:
        """Return the name servers to ask for a zone, which answer, and those that do not."""
        apex = self.asker.zone_of(zone)
        own = self.asker.servers_of(apex) if apex else []
        answering = [server for server in own if self.asker.ask(apex, "SOA", server).code == "NOERROR"]
        silent = [server for server in own if server not in answering]
        resolves = self.asker.ask(zone, "SOA").code in _ANSWERS
        return [*answering, *([self.asker.resolver] if resolves else [])], silent

    def _group(self, group: Group, servers: Sequence[Server], relayed: bool) -> Iterator[Finding]:
        by_verdict: dict[Verdict, list[Server]] = {}
        for server in self._having(group, servers):
            by_verdict.setdefault(self._verdict(group, server, relayed), []).append(server)
        for verdict, at in by_verdict.items():
            if verdict.kind == "right":
                continue
            where = "" if len(by_verdict) == 1 else f" (at {', '.join(map(str, at))})"
            paste = () if verdict.kind == "notice" else tuple(map(line, group.records))
            yield Finding(verdict.kind, f"{group.type} {group.name}{where}", verdict.text, paste)

    def _having(self, group: Group, servers: Sequence[Server]) -> Sequence[Server]:
        """Return the servers without those that only know where the records are; the resolver finds these."""
        if self.asker.resolver not in servers:
            return servers
        return [each for each in servers if not self.asker.ask(group.name, group.type, each).is_elsewhere]

    def _verdict(self, group: Group, server: Server, relayed: bool) -> Verdict:
        answer = self.asker.ask(group.name, group.type, server)
        if answer.code not in _ANSWERS:
            return Verdict("missing", answer.code if answer.is_silence else f"the answer is {answer.code}")
        if answer.alias and group.name == self.hostname and group.type in ("A", "AAAA"):
            text = f"it is a CNAME for {answer.alias}, which the host of MX records can't be (RFC 2181, 10.3)"
            return Verdict("different", text)
        verdict = compared(group, answer, relayed=relayed, others=self.others)
        if verdict.kind == "missing" and group.type == "CNAME":
            return self._no_cname(group.name, server, verdict)
        if group.tag == "v=spf1" and verdict.kind in ("right", "different"):
            verdict = self._spf(group.name, answer, verdict)
        would_lose = verdict.kind in ("extra", "different") and group.name != self.hostname
        if would_lose and group.tag == "v=spf1" and (lost := lost_terms(group, answer)):
            text = f"first put into mail_spf_mechanisms what should stay of {', '.join(lost)}"
            return Verdict(verdict.kind, f"{verdict.text}; {text}")
        return verdict

    def _no_cname(self, name: str, server: Server, verdict: Verdict) -> Verdict:
        """Return the verdict on a name that is no CNAME: addresses of the host are as good."""
        if self._leads_here(name, server):
            return Verdict("right")
        kinds = beside(name, lambda name, kind: self.asker.ask(name, kind, server))
        if not kinds:
            return verdict
        text = f"it has {' and '.join(kinds)} records, and a CNAME can't be beside others: delete these first"
        return Verdict("different", text)

    def _leads_here(self, name: str, server: Server) -> bool:
        found = {address for kind in ("A", "AAAA") for address in self.asker.ask(name, kind, server).data}
        return bool(found) and found <= set(self.addresses)

    def _spf(self, name: str, answer: Answer, verdict: Verdict) -> Verdict:
        """Return the verdict on the only SPF record of a name, by what it says."""
        (text,) = (each for each in answer.data if kind_of(each) == "v=spf1")
        spf: Spf = examine(text, name, self.asker.data)
        if faults := spf.faults():
            return Verdict("different", f"{text!r}: {'; '.join(faults)}")
        refused = [address for address in self.addresses if not spf.passes(address)]
        if refused:
            return Verdict("different", f"{text!r}: mail from {listed(refused)} does not pass")
        if verdict.kind == "different":
            return Verdict("notice", f"{verdict.text}, by which this host passes")
        return verdict

    def _reverse(self, address: str) -> Iterator[Finding]:
        name = ipaddress.ip_address(address).reverse_pointer
        found = [each.rstrip(".") for each in self.asker.data(name, "PTR")]
        if self.hostname in found:
            return
        wanted = (f"{name}. PTR {self.hostname}.",)
        text = "ask the provider of the address for it"
        if found:
            text = f"there is {listed(found)}; {text}"
        yield Finding("different" if found else "missing", f"PTR {address}", text, wanted)

    def _dnssec(self, zone: Zone) -> Iterator[Finding]:
        answer = self.asker.ask(zone.name, "SOA")
        if answer.secure:
            return
        if answer.code == "SERVFAIL" and self.asker.ask(zone.name, "SOA", unchecked=True).code == "NOERROR":
            text = "DNSSEC is broken: resolvers that validate it get no answer"
            yield Finding("different", zone.name, text)
        elif self.asker.data(answer.zone, "DS") or answer.zone == ".":
            text = f"it has DNSSEC, which {self.asker.resolver} does not validate"
            yield Finding("notice", zone.name, text)
        else:
            has = ", and without it TLSA records say nothing" if _has_tlsa(zone.records) else ""
            yield Finding("notice", zone.name, f"it has no DNSSEC{has}")


def _has_tlsa(records: Iterable[Record]) -> bool:
    return any(record.type == "TLSA" for record in records)
