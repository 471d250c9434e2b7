"""Passwords and keys that are generated once and stay on the host."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from mailstack import secrets
from mailstack.facts.files import FileStates
from mailstack.facts.reading import announce, read
from mailstack.operations.stages import Change
from mailstack.shell import shell


class Password(NamedTuple):
    """A password in a file that only root can read, generated if it does not exist.

    + found: a file; if the host has it, its first line is the password
    """

    name: str
    found: str = ""

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(secrets.KeptSecret.of(self.name))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        if read(secrets.KeptSecret.of(self.name)) is not None:
            return ()
        path = shlex.quote(f"{secrets.DIRECTORY}/{self.name}")
        text = f"{{ head -n 1 {shlex.quote(self.found)} | grep . || cat; }}" if self.found else "cat"
        write = f"umask 077; mkdir -p {secrets.DIRECTORY} && {text} > {path}.new && mv -fT {path}.new {path}"
        return (Change([f"generate {self.name}"], shell(write, secrets.generate())),)


class Key(NamedTuple):
    """A key in a file of a daemon's own, which its group can read, generated if it does not exist.

    Each host has another one.
    """

    path: str
    group: str

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(FileStates.of([self.path]))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        if self.path in read(FileStates.of([self.path])):
            return ()
        path = shlex.quote(self.path)
        directory, group = (shlex.quote(each) for each in (self.path.rpartition("/")[0], self.group))
        write = (
            f"mkdir -p {directory} && umask 077 && cat > {path}.new && chgrp {group} {path}.new && "
            f"chmod 640 {path}.new && mv -fT {path}.new {path}"
        )
        return (Change([f"generate {self.path}"], shell(write, secrets.generate())),)
