"""Certificates for the hosts with mailboxes, and their CA, kept on the host with the database."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mailstack.facts.certificates import Certificate
from mailstack.facts.reading import announce, read
from mailstack.operations.stages import Change
from mailstack.secrets import DIRECTORY
from mailstack.shell import script, shell


class BackendCertificates(NamedTuple):
    """A CA, and a certificate of it for each host, made unless there is a valid one.

    + authority: the name of the CA
    + hosts: the name of the secrets of each certificate, with the DNS name and the IP address in it
    """

    authority: str
    hosts: tuple[tuple[str, str, str], ...]

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(self._question(self.authority, self.authority))
        announce(*(self._question(label, name) for label, name, _ in self.hosts))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        ca = read(self._question(self.authority, self.authority))
        has_ca = ca.matches_key and ca.expires is not None
        missing = [
            name
            for label, name, _ in self.hosts
            if not (has_ca and read(self._question(label, name)).serves())
        ]
        if not missing:
            return ()
        wanted = (text for label, _, address in self.hosts for text in (label, address))
        run = script("backend_certificates", self.authority, DIRECTORY, *wanted)
        return (Change([f"make a certificate for {name}" for name in missing], shell(run)),)

    @staticmethod
    def _question(label: str, name: str) -> Certificate:
        return Certificate.of(name, f"{DIRECTORY}/{label}-cert", f"{DIRECTORY}/{label}-key")
