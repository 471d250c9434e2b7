"""SPF records (RFC 7208): how many questions they cost, and which addresses they let pass. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mailstack.spf_terms import Mechanism, Modifier, Network, parsed

Ask = Callable[[str, str], Sequence[str]]
"""Return the data of the records of this name and type: texts, addresses, or as in a zone file."""

MAX_LOOKUPS, MAX_VOID, MAX_HOSTS = 10, 2, 10
"""RFC 7208, 4.6.4; a receiver answers with "permerror" beyond these."""
_EVERY = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


class Rule(NamedTuple):
    """What a mechanism says of addresses.

    + qualifier: ``+`` if those that match pass
    + networks: the addresses that match
    + included: the rules of an included record, of which those match that pass there
    """

    qualifier: str
    networks: Sequence[Network] = ()
    included: Sequence[Rule] = ()

    def matches(self, address: str) -> bool:
        """Return whether it decides on an address."""
        ip = ipaddress.ip_address(address)
        return any(ip in network for network in self.networks) or _passes(self.included, address)


@dataclass
class Spf:
    """What a record says, with those that it includes.

    + lookups: the terms that make a receiver ask the DNS
    + void: the answers without a record
    + rules: its mechanisms in their order, as the first that matches decides (4.6.2)
    + problems: faults by which a receiver ignores the record
    """

    lookups: int = 0
    void: int = 0
    rules: list[Rule] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def end(self) -> str:
        """Return the last word on all others, such as ``-all``; empty without one."""
        last = self.rules[-1] if self.rules else Rule("+")
        return f"{last.qualifier.replace('+', '')}all" if last.networks == _EVERY else ""

    def passes(self, address: str) -> bool:
        """Return whether mail from this address passes."""
        return _passes(self.rules, address)

    def faults(self) -> list[str]:
        """Return all by which a receiver gets no verdict from the record, or one that is worth nothing."""
        found = [f"{'; '.join(self.problems)}: receivers ignore it"] if self.problems else []
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
    spf.rules = _rules(text, domain, ask, spf)
    return spf


def _passes(rules: Sequence[Rule], address: str) -> bool:
    return next((rule.qualifier == "+" for rule in rules if rule.matches(address)), False)


def _rules(text: str, domain: str, ask: Ask, spf: Spf) -> list[Rule]:
    rules: list[Rule] = []
    mechanisms, redirects = _terms(text, spf)
    for mechanism in mechanisms:
        if mechanism.name == "all":
            return [*rules, Rule(mechanism.qualifier, _EVERY)]
        rules.append(_rule(mechanism, domain, ask, spf))
    return [*rules, *(rule for name in redirects for rule in _included(name, ask, spf))]


def _terms(text: str, spf: Spf) -> tuple[list[Mechanism], list[str]]:
    """Return the mechanisms of a record, and where it redirects to. One fault spoils it all (4.6)."""
    mechanisms, modifiers = [], []
    for word in text.split(" ")[1:]:
        try:
            term = parsed(word) if word else None
        except ValueError as error:
            spf.problems.append(f"{word!r} {error}")
            continue
        if isinstance(term, Mechanism):
            mechanisms.append(term)
        elif isinstance(term, Modifier):
            modifiers.append(term)
    names = [each.name for each in modifiers]
    spf.problems += [f"it has {name}= twice" for name in ("redirect", "exp") if names.count(name) > 1]
    return mechanisms, [each.value for each in modifiers if each.name == "redirect"]


def _rule(mechanism: Mechanism, domain: str, ask: Ask, spf: Spf) -> Rule:
    """Count a mechanism, and return what it says."""
    name, value = mechanism.name, (mechanism.value or domain).rstrip(".")
    if name in ("ip4", "ip6"):
        return Rule(mechanism.qualifier, [mechanism.network(value)])
    if name == "include":
        return Rule(mechanism.qualifier, included=_included(value, ask, spf))
    spf.lookups += 1
    if name in ("ptr", "exists") or "%" in value:
        return Rule(mechanism.qualifier)
    hosts = [value]
    if name == "mx":
        hosts = [data.split()[-1].rstrip(".") for data in ask(value, "MX")]
        spf.void += not hosts
        if len(hosts) > MAX_HOSTS:
            spf.problems.append(f"{value} has {len(hosts)} MX hosts; receivers look at {MAX_HOSTS}")
    addresses = [address for host in hosts for kind in ("A", "AAAA") for address in ask(host, kind)]
    spf.void += name == "a" and not addresses
    return Rule(mechanism.qualifier, [mechanism.network(address) for address in addresses])


def _included(name: str, ask: Ask, spf: Spf) -> list[Rule]:
    spf.lookups += 1
    if "%" in name or spf.lookups > 2 * MAX_LOOKUPS:  # it may include itself
        return []
    texts = ask(name, "TXT")
    records = [text for text in texts if text.lower() == "v=spf1" or text.lower().startswith("v=spf1 ")]
    spf.void += not texts
    if len(records) == 1:
        return _rules(records[0], name, ask, spf)
    spf.problems.append(f"{name}, which it includes, has {len(records) or 'no'} SPF records")
    return []
