"""Certificates for the hosts with mailboxes, and their CA, kept on the host with the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mailstack.facts.certificates import Certificate, CertificateState
from mailstack.facts.reading import announce, read
from mailstack.operations.stages import Change
from mailstack.secrets import DIRECTORY
from mailstack.shell import script, shell


class BackendCertificates(NamedTuple):
    """A CA, and a certificate of it for each host, made unless there is a valid one.

    + authority: the name of the CA
    + names: the DNS name in each certificate, by the name of its secrets
    """

    authority: str
    names: tuple[tuple[str, str], ...]

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(*(self._question(label, name) for label, name in self._all()))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        ca = self._state(self.authority, self.authority)
        has_ca = ca.matches_key and ca.expires is not None
        missing = [name for label, name in self.names if not (has_ca and self._state(label, name).serves())]
        if not missing:
            return ()
        run = script("backend_certificates", self.authority, DIRECTORY, *(label for label, _ in self.names))
        return (Change([f"make a certificate for {name}" for name in missing], shell(run)),)

    def _all(self) -> Sequence[tuple[str, str]]:
        return ((self.authority, self.authority), *self.names)

    def _state(self, label: str, name: str) -> CertificateState:
        return read(self._question(label, name))

    def _question(self, label: str, name: str) -> Certificate:
        return Certificate.of(name, f"{DIRECTORY}/{label}-cert", f"{DIRECTORY}/{label}-key")
