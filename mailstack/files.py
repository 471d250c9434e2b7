"""What should lie on a host: plain values, compared and written by ``operations.config_files``."""

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
    """A directory of another component, made for root alone if it is not there, else left as it is."""

    path: str


class Kept(NamedTuple):
    """Something that another operation makes: if it is there, it has this owner, group and mode."""

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
    + activation: what the daemon needs before it uses a new version; ``None``: it looks each time
    + indexed: the command that makes from it what the daemon reads instead: ``postmap(1)``, for
      ``aliases(5)`` ``postalias(1)``, for a Sieve script ``sievec(1)``; that gets the same owner and mode
    """

    path: str
    content: str | None
    owner: str = "root"
    group: str = "root"
    mode: int = 0o644
    activation: Activation | None = "reload"
    indexed: Literal["postmap", "postalias", "sievec"] | None = None


class Shared(NamedTuple):
    """A file that others write too: our lines stand in it as a marked block, theirs stay as they are.

    + compose: makes the block's lines, given the lines of others
    + claimed: whether a line that stands outside the block is ours too, and goes

    The rest is as of ``File``; where the file belongs to another owner, or has another mode, that is changed.
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
        """Return the whole file, given what lies there now: empty text if nothing does."""
        content = whole(text, self.compose, self.claimed)
        return File(self.path, content, self.owner, self.group, self.mode, self.activation, self.indexed)


Entry = Directory | Place | Kept | File | Shared


class Group(NamedTuple):
    """The files of one component, and what is done with them.

    + units: the services that must reload or restart once one has changed
    + validate: shell scripts that fail if the files staged in ``$stage`` are no good
    + before: shell for after that, and before the files are put in place
    + restart_if: by service, a shell script that succeeds if a reload is not enough for the staged files
    """

    entries: Sequence[Entry]
    units: Sequence[str] = ()
    validate: Sequence[str] = ()
    before: str = ""
    restart_if: Mapping[str, str] = {}
