"""CAs of a server's own, and certificates of them, with which its hosts know each other.

The host with the primary makes a CA and keeps it. The hosts with the database have one, and those with
mailboxes another one.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from mailstack import secrets
from mailstack.facts.fact import Question
from mailstack.facts.reading import announce, read
from mailstack.operations.stages import Change
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


class OwnCertificate(NamedTuple):
    """A certificate of a CA, made on a host with the CA unless there is a good one. It comes after the CA.

    + authority: the name of the CA
    + purpose: what it is for, in a message
    + certificate, key: paths
    + name, address: the DNS name and the IP address in it, by which others know the host
    + more: further names in it, as in ``subjectAltName`` of x509v3_config(5)
    + group: the group that may read the key; by default only root may
    + mark: the path of a mark that is left with a new one, see ``units.mark``
    """

    authority: str
    purpose: str
    certificate: str
    key: str
    name: str
    address: str
    more: str = ""
    group: str = ""
    mark: str = ""

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(_IsGood.of(self))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        if read(_IsGood.of(self)):
            return ()
        return (Change([f"make a certificate {self.purpose}"], shell(self.script("make"))),)

    def script(self, what: str) -> str:
        """Return the script that does ``what`` with it: ``check`` or ``make``."""
        of, names = _file(self.authority), (self.name, self.address, self.more)
        return script("own_certificate", what, of, self.certificate, self.key, *names, self.group, self.mark)


class _IsGood(Question[bool]):
    """Return whether a certificate is of its CA, for its names and its key, and valid now and for long."""

    def command(self, certificate: OwnCertificate) -> str:
        """Ask openssl."""
        return self.asking([certificate])

    @staticmethod
    def ask(about: Sequence[OwnCertificate]) -> str:
        """See ``Question.ask``."""
        return "\n".join(
            f"printf '%s ' {shlex.quote(each.certificate)}; (\n{each.script('check')}\n); echo"
            for each in about
        )

    def parse(self, output: str) -> bool:
        """See ``Question.parse``."""
        return f"{self.about[0].certificate} good\n" in output


def _file(authority: str) -> str:
    return f"{secrets.DIRECTORY}/{authority}"
