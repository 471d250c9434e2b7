"""Passwords that are generated once and stay on the host."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from mailstack import secrets
from mailstack.facts.reading import announce, read
from mailstack.operations.stages import Change
from mailstack.shell import shell


class Password(NamedTuple):
    """A password in a file that only root can read, generated if it does not exist."""

    name: str

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(secrets.KeptSecret.of(self.name))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        if read(secrets.KeptSecret.of(self.name)) is not None:
            return ()
        path = shlex.quote(f"{secrets.DIRECTORY}/{self.name}")
        write = f"umask 077; mkdir -p {secrets.DIRECTORY} && cat > {path}.new && mv -fT {path}.new {path}"
        return (Change([f"generate {self.name}"], shell(write, secrets.generate())),)
