"""CAs of a server's own, and certificates of them, with which its hosts know each other.

The host with the primary makes a CA and keeps it. The hosts with the database have one, and those with
mailboxes another one.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from mailstack import secrets
from mailstack.facts.certificates import Certificate
from mailstack.facts.fact import Question
from mailstack.facts.reading import announce, read
from mailstack.operations.stages import Change
from mailstack.operations.units import mark
from mailstack.replication import CA, CERTIFICATE, KEY
from mailstack.shell import script, shell


class Authority(NamedTuple):
    """A CA, created once on the host with the primary; the others with the database get a copy.

    + name: the name of the secret with its key and its certificate
    """

    name: str

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(secrets.KeptSecret.of(self.name))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        if read(secrets.KeptSecret.of(self.name)) is not None:
            return ()
        return (Change([f"make the CA {self.name}"], shell(script("own_ca", _file(self.name), self.name))),)


class HostCertificates(NamedTuple):
    """A certificate for each of several hosts, made on the host with the CA unless there is a valid one.

    It comes after the CA.

    + authority: the name of the CA
    + hosts: the name of the secrets of each certificate, with the DNS name and the IP address in it
    """

    authority: str
    hosts: tuple[tuple[str, str, str], ...]

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(secrets.KeptSecret.of(self.authority))
        announce(*(self._question(label, name) for label, name, _ in self.hosts))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        has_ca = read(secrets.KeptSecret.of(self.authority)) is not None
        missing = [
            name
            for label, name, _ in self.hosts
            if not (has_ca and read(self._question(label, name)).serves())
        ]
        if not missing:
            return ()
        wanted = (text for label, _, address in self.hosts for text in (label, address))
        run = script("backend_certificates", _file(self.authority), secrets.DIRECTORY, *wanted)
        return (Change([f"make a certificate for {name}" for name in missing], shell(run)),)

    @staticmethod
    def _question(label: str, name: str) -> Certificate:
        return Certificate.of(name, f"{secrets.DIRECTORY}/{label}-cert", f"{secrets.DIRECTORY}/{label}-key")


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
    return script("database_certificate", what, _file(CA), CERTIFICATE, KEY, address, *more)


def _file(authority: str) -> str:
    return f"{secrets.DIRECTORY}/{authority}"
