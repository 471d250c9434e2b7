"""What pyinfra's look at the call stack costs, which it takes for each operation, to know their order."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

from pyinfra.context import state


def make_known() -> None:
    """Let ``inspect`` find the deploy file that runs among the modules.

    pyinfra executes that file, so it is none; and for each frame of such a file ``inspect.getmodule`` goes
    through all modules that there are, more than a thousand, three times an operation. In a run that changes
    nothing this took longer than what mailstack asks of the host.
    """
    if state.current_exec_filename:
        path = Path(state.current_exec_filename).absolute()
        module = ModuleType(f"deploy file {path}")
        module.__file__ = str(path)
        sys.modules.setdefault(module.__name__, module)
