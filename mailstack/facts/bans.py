"""The addresses that fail2ban shuts out of the mail server."""

from __future__ import annotations

import ipaddress
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from mailstack.facts.fact import Fact, Question, Value
from mailstack.on_host import guesses
from mailstack.shell import script

_BAN = re.compile(r"(?P<id>\S+)\s+(?P<since>\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) \+ (?P<seconds>-?\d+) = .*")


@dataclass(frozen=True)
class Ban(Value):
    """A banned address.

    + address: an IPv4 address, or the network of an IPv6 address, its /64
    + id: the address under which fail2ban has it
    + since, until: when the ban began, and when it ends
    + guesses: the number of different guesses; none if a person has banned it
    """

    address: str
    id: str
    since: datetime
    until: datetime
    guesses: int = 0


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


def _parse(output: str) -> Guessed | None:
    zone = ""
    found: list[re.Match[str]] = []
    number: dict[str, int] = {}
    users: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for line in output.split("\n"):  # a guessed name may have what else ends a line
        kind, _, value = line.partition("=")
        if kind == "zone":
            zone = value
        elif kind == "guesses":
            name, _, count = value.partition("\t")
            number[name] = int(count)
        elif kind == "guess":
            name, _at, _hash, user = value.split("\t", 3)
            users[name][user] += 1
        elif ban := _BAN.fullmatch(line):
            found.append(ban)
    if not zone:
        return None
    number |= {name: counted.total() for name, counted in users.items()}
    bans = tuple(_ban(each, zone, number) for each in found)
    return Guessed(bans, {network(name): counted for name, counted in users.items()})


def _ban(ban: re.Match[str], zone: str, number: Mapping[str, int]) -> Ban:
    since = datetime.strptime(f"{ban['since']} {zone}", "%Y-%m-%d %H:%M:%S %z").timestamp()
    return Ban(
        network(ban["id"]),
        ban["id"],
        datetime.fromtimestamp(since, UTC),
        datetime.fromtimestamp(since + int(ban["seconds"]), UTC),
        number.get(guesses.key(ban["id"]), 0),
    )
