"""The passwords of a deploy. All other modules only handle placeholders.

A password in the settings is used. Otherwise one is generated once and kept on the host with the database,
readable by root alone. Later runs read it from there, from any machine that runs pyinfra. Templates and files
contain ``placeholder(name)``; only the operation that writes a file fills in the value.
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
from mailstack.settings.types import PLACEHOLDER
from mailstack.text import lines_of

if TYPE_CHECKING:
    from mailstack.topology import Node

DIRECTORY = "/var/lib/mailstack/secrets"

Secrets = Mapping[str, "str | None"]
"""Values by name; ``None`` if the owner has not generated it yet."""

_CERTIFICATE = re.compile("-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.S)
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
    # only the certificates of a file of PEM, without a key
    "certificate": lambda value: "\n".join(_CERTIFICATE.findall(value)),
}
_PLACEHOLDER = re.compile(rf"{PLACEHOLDER}([a-z0-9-]+):([a-z]+)@")


def placeholder(name: str, encoding: str = "raw") -> str:
    """Return the placeholder of a secret until it is written.

    + name: the name of the secret
    + encoding: the quoting of the value in the file: ``raw``, ``conninfo`` or ``pgpass`` (libpq), ``mycnf``
      (MariaDB), ``dovecot``, or ``certificate`` (those in a file of PEM)
    """
    if encoding not in _ENCODERS:
        raise ValueError(f"unknown encoding {encoding!r}; there are {', '.join(_ENCODERS)}")
    return f"{PLACEHOLDER}{name}:{encoding}@"


def names_in(text: str) -> set[str]:
    """Return the names of the secrets with placeholders in ``text``."""
    return {match[1] for match in _PLACEHOLDER.finditer(text)}


def mask(text: str) -> str:
    """Return ``text`` with secrets masked, for output."""
    return _PLACEHOLDER.sub("*MASKED*", text)


def fill_in(text: str, values: Secrets) -> str | None:
    """Return ``text`` with every placeholder replaced, or ``None`` if a secret does not exist yet."""
    known = {name: value for name in names_in(text) if (value := values[name]) is not None}
    if known.keys() != names_in(text):
        return None
    return _PLACEHOLDER.sub(lambda match: _ENCODERS[match[2]](known[match[1]]), text)


def generate() -> str:
    """Return a new password: 192 random bits in characters that never need quoting."""
    return _random.token_urlsafe(24)


class KeptSecret(Question["str | None"]):
    """Return the secret of that name on the host. It is not a fact, as pyinfra prints facts."""

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
        lines = (line.removeprefix(start) for line in lines_of(output) if line.startswith(start))
        return "\n".join(lines).strip() or None


class Store:
    """The secrets of one deploy: those of the settings, and those that ``owner`` keeps."""

    def __init__(self, given: Mapping[str, str], owner: Node | None = None) -> None:
        self.given = given
        self.owner = owner

    def __getitem__(self, name: str) -> str | None:
        """Return the value, or ``None`` if it has not been generated yet.

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
        return bool(hosts.host_of(owner).connected)

    def announce(self, names: Iterable[str]) -> None:
        """Announce that an operation will need these values, so that one command can read them with others.

        If the owner is known to be unreachable, fail the current host.
        """
        kept = [KeptSecret.of(name) for name in sorted(names) if self.given.get(name) is None]
        if self.owner is None:
            announce(*kept)
        elif kept and not self._is_reached(self.owner):
            leave_out(hosts.topology().not_reached(self.owner))
        elif kept:
            announce(*kept, of=hosts.host_of(self.owner))

    def with_given(self, values: Mapping[str, str]) -> Store:
        """Return the same store with these further secrets."""
        return Store({**self.given, **values}, self.owner)

    def values(self, names: set[str]) -> dict[str, str | None]:
        """Return the values of several secrets."""
        return {name: self[name] for name in sorted(names)}
