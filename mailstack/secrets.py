"""Where passwords come from. Everything else handles placeholders.

What the settings give wins. Else a password is generated once and kept, readable by root alone, on the host
that owns it (the one with the database), and later runs read it back from there, from any control machine.
Templates and files carry ``placeholder(name)``; only the operation that writes a file puts the value in.
"""

from __future__ import annotations

import re
import secrets as _random
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pyinfra.api.exceptions import OperationError

from mailstack import hosts
from mailstack.facts.fact import Question
from mailstack.facts.reading import announce, read
from mailstack.run import leave_out

if TYPE_CHECKING:
    from mailstack.topology import Node

DIRECTORY = "/var/lib/mailstack/secrets"

Secrets = Mapping[str, "str | None"]
"""Values by name; ``None`` where the host that owns it has not generated it yet."""

_ENCODERS: dict[str, Callable[[str], str]] = {
    "raw": lambda value: value,
    # libpq connection strings: section 34.1.1 of PostgreSQL's manual
    "conninfo": lambda value: "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'",
    # a field of a password file: section 34.16 of PostgreSQL's manual
    "pgpass": lambda value: value.replace("\\", "\\\\").replace(":", "\\:"),
    # a quoted value in an option file: MariaDB's manual, "Configuring MariaDB with Option Files"
    "mycnf": lambda value: '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"',
    # a quoted string in dovecot.conf of 2.4, which would expand %{…}: doc.dovecot.org, "Settings Variables"
    "dovecot": lambda value: (
        '"' + re.sub("(%+){", r"%\1{", value).replace("\\", "\\\\").replace('"', '\\"') + '"'
    ),
}
_PLACEHOLDER = re.compile(r"@mailstack-secret:([a-z0-9-]+):([a-z]+)@")


def placeholder(name: str, encoding: str = "raw") -> str:
    """What stands for a secret until it is written.

    + name: of the secret
    + encoding: how the value is quoted where it goes: ``raw``, ``conninfo`` or ``pgpass`` (libpq),
      ``mycnf`` (MariaDB) or ``dovecot``
    """
    if encoding not in _ENCODERS:
        raise ValueError(f"unknown encoding {encoding!r}; there are {', '.join(_ENCODERS)}")
    return f"@mailstack-secret:{name}:{encoding}@"


def names_in(text: str) -> set[str]:
    """The secrets that ``text`` has placeholders for."""
    return {match[1] for match in _PLACEHOLDER.finditer(text)}


def mask(text: str) -> str:
    """``text`` as people may see it."""
    return _PLACEHOLDER.sub("*MASKED*", text)


def fill_in(text: str, values: Secrets) -> str | None:
    """``text`` with every placeholder replaced, or ``None`` if one of its secrets does not exist yet."""
    known = {name: value for name in names_in(text) if (value := values[name]) is not None}
    if known.keys() != names_in(text):
        return None
    return _PLACEHOLDER.sub(lambda match: _ENCODERS[match[2]](known[match[1]]), text)


def generate() -> str:
    """A new password: 192 random bits in characters that need no quoting anywhere."""
    return _random.token_urlsafe(24)


class KeptSecret(Question["str | None"]):
    """Return the secret of that name that the host keeps. It is no fact, as pyinfra prints facts."""

    def command(self, name: str) -> str:
        """Ask for the secret of that name."""
        return self.asking([name])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return f"cd {DIRECTORY} && grep -aH '' -- {shlex.join(about)}"

    def parse(self, output: str) -> str | None:
        """See ``Question.parse``."""
        start = f"{self.about[0]}:"
        lines = (line.removeprefix(start) for line in output.splitlines() if line.startswith(start))
        return "\n".join(lines).strip() or None


class Store:
    """The secrets of one deploy: those given, and those that ``owner`` keeps."""

    def __init__(self, given: Mapping[str, str], owner: Node | None = None) -> None:
        self.given = given
        self.owner = owner

    def __getitem__(self, name: str) -> str | None:
        """The value, or ``None`` if it is to be generated and was not yet.

        Raises ``OperationError`` if the owner can't be asked.
        """
        if (value := self.given.get(name)) is not None:
            return value
        if self.owner is None:
            return read(KeptSecret.of(name))
        if not self._is_reached(self.owner):
            raise OperationError(hosts.topology().not_reached(self.owner))
        try:
            return read(KeptSecret.of(name), hosts.host_of(self.owner))
        except OperationError as error:
            raise OperationError(f"{name}: {self.owner.name} keeps it, and {error}") from None

    @staticmethod
    def _is_reached(owner: Node) -> bool:
        return owner.name in hosts.topology().reached

    def announce(self, names: Iterable[str]) -> None:
        """Say that an operation will want these values, so that one command can ask with others.

        If it is known already that their owner can't be asked, the current host is left out of the run.
        """
        kept = [KeptSecret.of(name) for name in sorted(names) if self.given.get(name) is None]
        if self.owner is None:
            announce(*kept)
        elif kept and not self._is_reached(self.owner):
            leave_out(hosts.topology().not_reached(self.owner))

    def with_given(self, values: Mapping[str, str]) -> Store:
        """The same store with these secrets more."""
        return Store({**self.given, **values}, self.owner)

    def values(self, names: set[str]) -> dict[str, str | None]:
        """The values of several secrets."""
        return {name: self[name] for name in sorted(names)}
