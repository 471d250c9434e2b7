"""Changes of one operation that build on each other: each stage reads the host after those before it."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable, Sequence
from typing import NamedTuple

from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from mailstack.facts.reading import forget
from mailstack.last_deploy import noted
from mailstack.run import is_executing


class Change(NamedTuple):
    """One change.

    + lines: text that names it, for the user
    """

    lines: Sequence[str]
    command: PyinfraCommand


Stage = Callable[[], Iterable[Change]]
"""A function that compares the wanted state with the host, and returns the changes."""


def in_stages(stages: Sequence[Stage], nothing: str) -> Generator[PyinfraCommand]:
    """Make the changes that the stages find, one stage after the other.

    + nothing: the message if there are none

    While the run is prepared all are shown at once, as pyinfra then only asks for the first command.
    """
    commands: list[PyinfraCommand] = []
    for stage in stages:
        changes = list(stage())
        for line in (line for change in changes for line in change.lines):
            host.log(line)
        found = [change.command for change in changes]
        if found:
            found[0] = noted(found[0])
        commands += found
        if is_executing() and found:
            yield from found
            forget()
    if not commands:
        host.noop(nothing)
    elif not is_executing():
        yield from commands
