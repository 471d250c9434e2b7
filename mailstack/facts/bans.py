"""The addresses that fail2ban shuts out of the mail server."""

from __future__ import annotations

import ipaddress
import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from mailstack.facts.fact import Fact, Question, Value
from mailstack.on_host import guesses
from mailstack.shell import script
from mailstack.text import lines_of

_MOMENT = 10
"""Seconds after which the rules have a ban: fail2ban has it first."""
_BAN = re.compile(r"(?P<id>\S+)\s+(?P<since>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \+ (?P<seconds>-?\d+) = .*")


@dataclass(frozen=True)
class Ban(Value):
    """A banned address.

    + address: an IPv4 address, or the network of an IPv6 address, its /64
    + id: the address under which fail2ban has it
    + since, until: when the ban began, and when it ends
    + guesses: the number of different guesses; none if a person has banned it
    + in_force: whether the rules of nftables have it: somebody may have flushed them
    """

    address: str
    id: str
    since: datetime
    until: datetime
    guesses: int = 0
    in_force: bool = True


@dataclass(frozen=True)
class Guessed:
    """The bans, and the names that the guesses were about, by address, with the number of guesses."""

    bans: tuple[Ban, ...]
    users: Mapping[str, Counter[str]] = field(default_factory=dict)


class Bans(Fact[tuple[Ban, ...] | None]):
    """Return the addresses that fail2ban shuts out of the mail server: ``tuple[Ban, …]``, earliest end first.

    It is ``None`` if fail2ban does not run, or does not watch the mail server.
    """

    @staticmethod
    def default() -> None:
        """Return the value for a host that can't be asked."""

    def command(self) -> str:
        """Ask fail2ban."""
        return self.asking([])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return script("bans")

    def parse(self, output: str) -> tuple[Ban, ...] | None:
        """See ``Question.parse``."""
        found = _parse(output)
        return None if found is None else found.bans


class GuessedUsers(Question[Guessed | None]):
    """Return the bans with the users of the guesses. A name may be a mistyped password, so it is no fact."""

    def command(self) -> str:
        """Ask fail2ban."""
        return self.asking([])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return script("bans", "users")

    def parse(self, output: str) -> Guessed | None:
        """See ``Question.parse``."""
        return _parse(output)


def network(address: str) -> str:
    """Return what a ban of this address is a ban of: the address, or of IPv6 its /64."""
    name = guesses.key(address)
    return name if ipaddress.ip_address(name).version == 4 else f"{name}/64"


class Rules:
    """The rules that shut addresses out, as nft(8) prints them as JSON; nothing if there are none."""

    def __init__(self, text: str) -> None:
        objects: list[dict[str, Any]] = json.loads(text).get("nftables", []) if text else []
        elements = [each for one in objects if "set" in one for each in one["set"].get("elem", ())]
        self._has = {str(each) for element in elements for each in _networks(element)}
        self._works = sum("reject" in json.dumps(each["rule"]) for each in objects if "rule" in each) >= 2

    def have(self, address: str) -> bool:
        """Return whether an address is shut out."""
        return self._works and str(ipaddress.ip_network(network(address))) in self._has


def _networks(element: Any) -> Iterable[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    """Return what an element of a set stands for: an address, a /64, or a range of adjacent ones."""
    if isinstance(element, str):
        return [ipaddress.ip_network(element)]
    if "prefix" in element:
        whole = ipaddress.ip_network(f"{element['prefix']['addr']}/{element['prefix']['len']}")
    elif "range" in element:
        first, last = map(ipaddress.IPv6Address, element["range"])
        ranges = ipaddress.summarize_address_range(first, last)
        return [each for one in ranges for each in _parts(one)]
    else:
        return []
    return _parts(whole)


def _parts(
    whole: ipaddress.IPv4Network | ipaddress.IPv6Network,
) -> Iterable[ipaddress.IPv6Network | ipaddress.IPv4Network]:
    return whole.subnets(new_prefix=64) if whole.version == 6 and 32 < whole.prefixlen < 64 else [whole]


def _parse(output: str) -> Guessed | None:
    zone, now, rules = "", 0, Rules("")
    found: list[re.Match[str]] = []
    number: dict[str, int] = {}
    users: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in lines_of(output):
        kind, _, value = line.partition("=")
        if kind == "zone":
            zone = value
        elif kind == "now":
            now = int(value)
        elif kind == "rules":
            rules = Rules(value)
        elif kind == "guesses":
            name, _, count = value.partition("\t")
            number[name] = int(count)
        elif kind == "guess":
            name, _, guess = value.partition("\t")
            users[name][guess.split("\t", 2)[-1]] += 1
        elif ban := _BAN.fullmatch(line):
            found.append(ban)
    if not zone:
        return None
    number |= {name: counted.total() for name, counted in users.items()}
    bans = (_ban(each, zone, number) for each in found)
    judged = tuple(
        replace(ban, in_force=ban.since.timestamp() > now - _MOMENT or rules.have(ban.id)) for ban in bans
    )
    return Guessed(judged, {network(name): counted for name, counted in users.items()})


def _ban(ban: re.Match[str], zone: str, number: Mapping[str, int]) -> Ban:
    since = datetime.strptime(f"{ban['since']} {zone}", "%Y-%m-%d %H:%M:%S %z").timestamp()
    return Ban(
        network(ban["id"]),
        ban["id"],
        datetime.fromtimestamp(since, UTC),
        datetime.fromtimestamp(since + int(ban["seconds"]), UTC),
        number.get(guesses.key(ban["id"]), 0),
    )
