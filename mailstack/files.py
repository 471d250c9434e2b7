"""What should lie on a host: plain values, compared and written by ``operations.config_files``."""

from __future__ import annotations

from typing import Literal, NamedTuple

Activation = Literal["reload", "restart"]


class Directory(NamedTuple):
    """A directory that must exist, with this owner, group and mode."""

    path: str
    owner: str = "root"
    group: str = "root"
    mode: int = 0o755


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


Entry = Directory | Kept | File
