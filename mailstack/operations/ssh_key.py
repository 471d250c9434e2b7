"""A key for SSH that is generated once and stays on the host."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mailstack.facts.files import FileStates
from mailstack.facts.reading import announce, read
from mailstack.operations.stages import Change
from mailstack.shell import script, shell


class SshKey(NamedTuple):
    """A pair of keys of OpenSSH for root alone; the public one is beside it, in ``PATH.pub``."""

    path: str

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(FileStates.of([self.path]))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        if self.path in read(FileStates.of([self.path])):
            return ()
        return (Change([f"generate {self.path}"], shell(script("ssh_key", self.path))),)
