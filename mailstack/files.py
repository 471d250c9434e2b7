"""Wanted files of a host: plain values, compared and written by ``operations.config_files``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

from mailstack.shared_files import Compose, whole

Activation = Literal["reload", "restart"]


class Directory(NamedTuple):
    """A directory that must exist, with this owner, group and mode."""

    path: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o755


class Place(NamedTuple):
    """A directory of another component, created for root alone if it is missing, else left unchanged."""

    path: str


class Kept(NamedTuple):
    """A file that another operation creates: if it exists, it gets this owner, group and mode."""

    path: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644


class File(NamedTuple):
    """A file with exactly this content, owner, group and mode.

    + path: absolute path on the host
    + content: the text; ``None`` if the file must not exist. Secrets are placeholders
      (see ``mailstack.secrets``) until the operation writes them
    + mode: permission bits
    + activation: the action that makes the daemon use a new version; ``None`` if it reads the file each time
    + indexed: the command that builds the index that the daemon reads instead: ``postmap(1)``, for
      ``aliases(5)`` ``postalias(1)``, for a Sieve script ``sievec(1)``. The index gets the same owner and
      mode
    """

    path: str
    content: str | None
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    activation: Activation | None = "reload"
    indexed: Literal["postmap", "postalias", "sievec"] | None = None


class Shared(NamedTuple):
    """A file that others write too: mailstack's lines are a marked block, all others stay unchanged.

    + compose: returns the block's lines, given the lines of others
    + claimed: whether a line outside the block is mailstack's too, and is removed

    The other fields are those of ``File``. A different owner or mode is changed.
    """

    path: str
    compose: Compose
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    activation: Activation | None = "reload"
    indexed: Literal["postalias"] | None = None
    claimed: Callable[[str], bool] | None = None

    def beside(self, text: str) -> File:
        """Return the whole file, given the existing text, which is empty if the file is missing."""
        content = whole(text, self.compose, self.claimed)
        return File(self.path, content, self.owner, self.group, self.mode, self.activation, self.indexed)


Entry = Directory | Place | Kept | File | Shared


class Group(NamedTuple):
    """The files of one component, with their checks and services.

    + units: the services that must reload or restart after a change
    + validate: shell scripts that fail if the files staged in ``$stage`` are invalid
    + before: the shell script that runs after these, before the files are installed
    + restart_if: by service, a shell script that succeeds if the staged files need a restart, not a reload
    """

    entries: Sequence[Entry]
    units: Sequence[str] = ()
    validate: Sequence[str] = ()
    before: str = ""
    restart_if: Mapping[str, str] = {}
