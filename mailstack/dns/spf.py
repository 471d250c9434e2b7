"""SPF records (RFC 7208): how many questions they cost, and which addresses they let pass. Pure."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

Ask = Callable[[str, str], Sequence[str]]
"""Return the data of the records of this name and type: texts, addresses, or as in a zone file."""

MAX_LOOKUPS, MAX_VOID, MAX_HOSTS = 10, 2, 10
"""RFC 7208, 4.6.4; a receiver answers with "permerror" beyond these."""
_DEPTH = 20
_TERM = re.compile(
    r"(?P<qualifier>[+?~-]?)(?P<name>all|include|a|mx|ptr|ip4|ip6|exists)"
    r"(?::(?P<value>[^/]*|[0-9a-f:.]+))?(?P<prefix>/[0-9]+)?(?P<prefix6>//[0-9]+)?",
    re.IGNORECASE,
)
_MODIFIER = re.compile(r"(?P<name>[a-z][a-z0-9_.-]*)=(?P<value>\S*)", re.IGNORECASE)
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass
class Spf:
    """What a record says, with those that it includes.

    + lookups: the terms that make a receiver ask the DNS
    + void: the answers without a record
    + passing: the networks that pass
    + end: the last word on all others, such as ``-all``; empty without one
    + problems: faults by which a receiver ignores the record
    """

    lookups: int = 0
    void: int = 0
    passing: list[_Network] = field(default_factory=list)
    end: str = ""
    problems: list[str] = field(default_factory=list)

    def passes(self, address: str) -> bool:
        """Return whether mail from this address passes."""
        return any(ipaddress.ip_address(address) in network for network in self.passing)

    def faults(self) -> list[str]:
        """Return all by which a receiver gets no verdict from the record, or one that is worth nothing."""
        found = list(self.problems)
        if self.lookups > MAX_LOOKUPS:
            found.append(f"it needs {self.lookups} look-ups; receivers give up after {MAX_LOOKUPS}")
        if self.void > MAX_VOID:
            found.append(f"{self.void} of its look-ups have no answer; receivers give up after {MAX_VOID}")
        if self.end not in ("-all", "~all"):
            found.append("it does not end with -all or ~all")
        return found


def examine(text: str, domain: str, ask: Ask) -> Spf:
    """Return what the record of a domain says."""
    spf = Spf()
    _walk(text, domain, ask, spf, 0)
    return spf


def _walk(text: str, domain: str, ask: Ask, spf: Spf, depth: int) -> None:
    if depth > _DEPTH:
        spf.problems.append(f"its include of {domain} leads back to itself")
        return
    redirect, ends = "", False
    for word in text.split()[1:]:
        if term := _TERM.fullmatch(word):
            name, qualifier = term["name"].lower(), term["qualifier"] or "+"
            if name == "all":
                ends = True
                if depth == 0 or not spf.end:
                    spf.end = f"{qualifier.replace('+', '')}all"
                break
            networks = _mechanism(name, term, domain, ask, spf, depth)
            spf.passing += networks if qualifier == "+" else []
        elif modifier := _MODIFIER.fullmatch(word):
            redirect = modifier["value"] if modifier["name"].lower() == "redirect" else redirect
        else:
            spf.problems.append(f"{word!r} is no term of SPF")
    if redirect and not ends:
        _include(redirect, ask, spf, depth)


def _mechanism(name: str, term: re.Match[str], domain: str, ask: Ask, spf: Spf, depth: int) -> list[_Network]:
    """Count a mechanism, and return the networks that it names."""
    value = (term["value"] or domain).rstrip(".")
    if name in ("ip4", "ip6"):
        try:
            return [ipaddress.ip_network(f"{value}{term['prefix'] or ''}", strict=False)]
        except ValueError:
            spf.problems.append(f"{term[0]!r} has no address")
            return []
    if name == "include":
        end, before = spf.end, len(spf.passing)
        _include(value, ask, spf, depth)
        spf.end = end  # "all" of an included record is not for this one
        included = spf.passing[before:]
        del spf.passing[before:]
        return included
    spf.lookups += 1
    if name in ("ptr", "exists") or "%" in value:
        return []
    hosts = [value]
    if name == "mx":
        hosts = [data.split()[-1].rstrip(".") for data in ask(value, "MX")]
        spf.void += not hosts
        if len(hosts) > MAX_HOSTS:
            spf.problems.append(f"{value} has {len(hosts)} MX hosts; receivers look at {MAX_HOSTS}")
    addresses = [address for host in hosts for kind in ("A", "AAAA") for address in ask(host, kind)]
    spf.void += name == "a" and not addresses
    return [_network(address, term) for address in addresses]


def _include(name: str, ask: Ask, spf: Spf, depth: int) -> None:
    spf.lookups += 1
    if "%" in name or spf.lookups > 10 * MAX_LOOKUPS:
        return
    texts = ask(name, "TXT")
    records = [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]
    spf.void += not texts
    if len(records) == 1:
        _walk(records[0], name, ask, spf, depth + 1)
    else:
        spf.problems.append(f"{name}, which it includes, has {len(records) or 'no'} SPF records")


def _network(address: str, term: re.Match[str]) -> _Network:
    prefix = term["prefix6"] or "//128" if ":" in address else term["prefix"] or "/32"
    return ipaddress.ip_network(f"{address}/{prefix.lstrip('/')}", strict=False)
