"""Changes of one operation that build on each other: a stage looks at the host as those before it left it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import NamedTuple

from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from mailstack.facts.reading import forget
from mailstack.run import is_executing


class Change(NamedTuple):
    """One thing to change, in words, and the command that does it."""

    title: str
    command: PyinfraCommand


Stage = Callable[[], Iterable[Change]]
"""Compares what should be with what is on the host, and returns what differs."""


def in_stages(stages: Sequence[Stage], nothing: str) -> Generator[PyinfraCommand]:
    """Make the changes that the stages find, one stage after the other.

    + nothing: what to say if there are none

    While the run is prepared all are shown at once: pyinfra asks for no more than the first command then.
    """
    commands: list[PyinfraCommand] = []
    for stage in stages:
        changes = list(stage())
        for change in changes:
            host.log(change.title)
        commands += [change.command for change in changes]
        if is_executing() and changes:
            yield from (change.command for change in changes)
            forget()
    if not commands:
        host.noop(nothing)
    elif not is_executing():
        yield from commands
