"""Kills the pyinfra that loads this file, with SIGKILL, at one of the commands that change its host.

`MAILSTACK_KILL` says when, as `MOMENT:N`, where N counts those commands from 1:

- `after:N`: once the N-th has ended;
- `during:N`: once the N-th was started and has its input; it goes on alone;
- `cut:N`: once the N-th was started, before it has any input.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from functools import wraps
from typing import Any

from pyinfra.api.command import StringCommand
from pyinfra.connectors import util

MOMENT, _, NUMBER = os.environ["MAILSTACK_KILL"].partition(":")
INSIDE = {"during": "read_output_buffers", "cut": "write_stdin"}
"""What the connectors call then; `cut` without any input is `during`."""
count = 0


def die() -> None:
    """Kill this process: no handler runs, nothing is cleaned up."""
    os.kill(os.getpid(), signal.SIGKILL)


def armed(execute: Callable[..., Any]) -> Callable[..., Any]:
    """Count the commands of operations, which are `StringCommand`; those of facts are not."""

    @wraps(execute)
    def counted(*args: Any, **kwargs: Any) -> Any:
        global count
        count += 1
        if count == int(NUMBER) and MOMENT in INSIDE:
            for name in (INSIDE[MOMENT], INSIDE["during"]):
                setattr(util, name, lambda *_, **__: die())
        result = execute(*args, **kwargs)
        if count == int(NUMBER):
            die()
        return result

    return counted


StringCommand.execute = armed(StringCommand.execute)  # type: ignore[method-assign]
