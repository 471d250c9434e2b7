"""Certificates created on the host; the key never leaves it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mailstack.facts.certificates import Certificate
from mailstack.facts.reading import announce, read
from mailstack.operations.stages import Change
from mailstack.operations.units import mark
from mailstack.shell import script, shell


class SelfSigned(NamedTuple):
    """A self-signed certificate, valid for ten years, created unless a valid one exists.

    + hostname: its DNS name
    + certificate, key: paths on the host
    + units: the services that must reload a new certificate
    """

    hostname: str
    certificate: str
    key: str
    units: tuple[str, ...]

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(Certificate.of(self.hostname, self.certificate, self.key))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        if read(Certificate.of(self.hostname, self.certificate, self.key)).serves():
            return ()
        marks = [mark(unit, "reload") for unit in self.units]
        make = script("self_signed", self.hostname, self.certificate, self.key, *marks)
        return (Change([f"make a certificate for {self.hostname}"], shell(make)),)
