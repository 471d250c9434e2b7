"""What an operation does on the machine that runs pyinfra, while it executes."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pyinfra import logger
from pyinfra.api.command import FunctionCommand
from pyinfra.api.exceptions import OperationError

if TYPE_CHECKING:
    from pyinfra.api.host import Host
    from pyinfra.api.state import State


def local_command(function: Callable[[], None]) -> FunctionCommand:
    """Return the command that calls ``function``.

    An ``OperationError`` that it raises fails the host with one line: pyinfra itself would print a traceback.
    """

    def run(state: State, host: Host) -> bool:  # the names by which pyinfra knows that it shall pass them
        try:
            function()
        except OperationError as error:
            host.log_styled(str(error), fg="red", log_func=logger.error)
            return False
        return True

    return FunctionCommand(run, (), {})
