"""The password of rspamd's web interface, which is generated once and stays on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mailstack import secrets
from mailstack.facts.files import FileStates
from mailstack.facts.reading import announce, read
from mailstack.operations.stages import Change
from mailstack.operations.units import mark
from mailstack.shell import script, shell


class WebPassword(NamedTuple):
    """A password in a file that only root can read, and its hash in a file for rspamd.

    + name: the name of the secret
    + hashed: the path of the other file
    + unit: the service that must reload a new one
    """

    name: str
    hashed: str
    unit: str

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(secrets.KeptSecret.of(self.name), FileStates.of([self.hashed]))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        kept = read(secrets.KeptSecret.of(self.name)) is not None
        if kept and self.hashed in read(FileStates.of([self.hashed])):
            return ()
        place = f"{secrets.DIRECTORY}/{self.name}"
        make = script("web_password", place, self.hashed, mark(self.unit, "reload"))
        line = f"hash {self.name} again" if kept else f"generate {self.name}"
        return (Change([line], shell(make, secrets.generate())),)
