"""The CA of hosts with one database, and the certificates with which these know each other."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from mailstack import secrets
from mailstack.facts.fact import Question
from mailstack.facts.reading import announce, read
from mailstack.operations.stages import Change
from mailstack.operations.units import mark
from mailstack.replication import CA, CERTIFICATE, KEY
from mailstack.shell import script, shell

_CA_FILE = f"{secrets.DIRECTORY}/{CA}"


class Authority(NamedTuple):
    """The CA, created once on the host with the primary; the others get a copy."""

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(secrets.KeptSecret.of(CA))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        if read(secrets.KeptSecret.of(CA)) is not None:
            return ()
        return (
            Change(["make a CA for the hosts with the database"], shell(script("database_ca", _CA_FILE))),
        )


class _IsGood(Question[bool]):
    """Return whether the host's certificate is of the CA, for this address, and valid for long."""

    def command(self, address: str) -> str:
        """Ask openssl."""
        return self.asking([address])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        checks = (_script("check", address) for address in about)
        shown = zip(about, checks, strict=True)
        return "\n".join(
            f"printf '%s ' {shlex.quote(address)}; (\n{check}\n); echo" for address, check in shown
        )

    def parse(self, output: str) -> bool:
        """See ``Question.parse``."""
        return f"{self.about[0]} good\n" in output


class ServerCertificate(NamedTuple):
    """The certificate of this host's PostgreSQL, for other hosts.

    + address: the address at which they reach it
    """

    address: str

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(_IsGood.of(self.address))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        if read(_IsGood.of(self.address)):
            return ()
        title = f"make a certificate of PostgreSQL for {self.address}"
        return (Change([title], shell(_script("make", self.address, mark("postgresql", "reload")))),)


def _script(what: str, address: str, *more: str) -> str:
    return script("database_certificate", what, _CA_FILE, CERTIFICATE, KEY, address, *more)
