"""The cost of Python itself in a run of pyinfra."""

from __future__ import annotations

import gc
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from mailstack.run import deploy_file


def spare_work() -> None:
    """Keep Python from useless work, which was a good part of a run that changes nothing."""
    _know_deploy_file()
    _keep_imports()


@cache
def _keep_imports() -> None:
    """Exclude imported modules from Python's search for cycles, which would go through them several times.

    It is called once a run, as checking for a second call would take as long.
    """
    gc.freeze()


def _know_deploy_file() -> None:
    """Let ``inspect`` find the executed deploy file among the modules.

    pyinfra executes that file, so it is not a module. For each operation it inspects the call stack, to know
    their order. For each frame of such a file, ``inspect.getmodule`` searches all modules, more than a
    thousand, three times an operation.
    """
    if found := deploy_file():
        path = Path(found).absolute()
        module = ModuleType(f"deploy file {path}")
        module.__file__ = str(path)
        sys.modules.setdefault(module.__name__, module)
