"""Passwords that are generated once and stay on the host."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from pyinfra.api.command import StringCommand
from pyinfra.context import host

from mailstack import secrets
from mailstack.facts.reading import announce, read
from mailstack.operation import operation
from mailstack.run import current_host
from mailstack.shell import shell

if TYPE_CHECKING:
    from pyinfra.api.host import Host

_kept: WeakKeyDictionary[Host, set[str]] = WeakKeyDictionary()
"""What the operations of this run generate, by host."""


def kept_secrets(names: Sequence[str]) -> None:
    """Generate each secret that the host does not keep yet, in a file that only root can read.

    + names: of the secrets

    What an earlier call of the same run generates is not looked at again.
    """
    before = _kept.setdefault(current_host(), set())
    if before.issuperset(names):
        return
    before.update(names)
    announce(*map(secrets.KeptSecret.of, names))
    _kept_secrets(names=tuple(names), name="Generate passwords")


@operation
def _kept_secrets(names: Sequence[str]) -> Generator[StringCommand]:
    missing = [name for name in names if read(secrets.KeptSecret.of(name)) is None]
    for name in missing:
        host.log(f"generate {name}")
        path = shlex.quote(f"{secrets.DIRECTORY}/{name}")
        yield shell(
            f"umask 077; mkdir -p {secrets.DIRECTORY} && cat > {path}.new && mv -fT {path}.new {path}",
            secrets.generate(),
        )
    if not missing:
        host.noop("all passwords are there")
