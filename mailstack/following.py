"""Start a unit that takes long, and wait for its end. If this is cut off, the unit goes on."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple

from pyinfra.api.exceptions import OperationError

from mailstack.run import again, current_host, run_script
from mailstack.shell import script
from mailstack.text import lines_of

if TYPE_CHECKING:
    from pyinfra.api.host import Host

_PAUSE = 1.0
_LOST = 120.0
"""The seconds for which a host may give no answer, as it is busy."""


class _Seen(NamedTuple):
    """What a unit and its program say of themselves."""

    unit: Mapping[str, str]
    progress: Mapping[str, Any]
    result: Mapping[str, Any]

    @property
    def runs(self) -> bool:
        """Whether the unit is at work."""
        return self.unit.get("ActiveState") in ("activating", "active", "deactivating", "reloading")


def followed(unit: str, record: str, directory: str) -> Mapping[str, Any]:
    """Start a unit, and return its result once it has ended.

    + unit: a service of the type oneshot; one that runs already is waited for, and not started again
    + record: the name of the file with its result, in ``/var/lib/mailstack``
    + directory: the one in ``/run`` with its ``progress.json``

    Raises ``OperationError`` if it can't be started, or leaves no result.
    """
    said = run_script(current_host(), script("follow_start", unit, record, directory))
    if not said.succeeded:
        raise OperationError(f"{unit} can't be started: {' '.join(said.errors.split())}")
    last, shown = time.monotonic(), ""
    while True:
        seen = None
        with suppress(OperationError):
            seen = _seen(unit, record, directory)
            last = time.monotonic()
        if seen and not seen.runs:
            _show("", shown)
            return _result(unit, seen)
        if seen:
            shown = _show(_line(seen.progress), shown)
        if time.monotonic() - last > _LOST:
            raise OperationError(f"{unit}: the host gives no answer any more; the unit goes on there")
        time.sleep(_PAUSE)


@contextmanager
def shown(on: Host, progress: str) -> Iterator[None]:
    """Show on a terminal what a host is doing, while the body waits for it.

    + progress: a script that prints it, in one line
    """
    last = ""

    def show() -> None:
        nonlocal last
        with suppress(OperationError):
            last = _show(run_script(on, progress, _LOST).output.strip(), last)

    if not sys.stderr.isatty():
        yield
        return
    try:
        with again(show, _PAUSE):
            yield
    finally:
        _show("", last)


def _seen(unit: str, record: str, directory: str) -> _Seen:
    said = run_script(current_host(), script("follow_state", unit, record, directory), 60)
    parts = [*said.output.split("\f"), "", "", ""][:3]
    pairs = (line.partition("=") for line in lines_of(parts[0]))
    properties = {name: value for name, _, value in pairs}
    if "ActiveState" not in properties:  # as systemd itself is being upgraded
        raise OperationError(f"{unit}: systemctl says nothing")
    return _Seen(properties, _object(parts[1]), _object(parts[2]))


def _object(text: str) -> dict[str, Any]:
    with suppress(ValueError):
        found = json.loads(text)
        if isinstance(found, dict):
            return found
    return {}


def _result(unit: str, seen: _Seen) -> Mapping[str, Any]:
    if not seen.result or seen.unit.get("Result") not in ("success", "exit-code"):
        why = seen.unit.get("Result", "no result")
        raise OperationError(f"{unit} ended early ({why}): journalctl -u {unit} on the host says why")
    return seen.result


def _line(progress: Mapping[str, Any]) -> str:
    step, percent, text = (progress.get(name, "") for name in ("step", "percent", "text"))
    return f"{step}{f': {percent} %' if percent else ''}{f', {text}' if text else ''}"


def _show(line: str, shown: str) -> str:
    """Show a line on a terminal, in the place of the one before; elsewhere nothing."""
    if sys.stderr.isatty() and line != shown:
        sys.stderr.write(f"\r\033[K{line[:100]}")
        sys.stderr.flush()
    return line
