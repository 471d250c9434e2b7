"""What Python itself costs in a run of pyinfra, beside what is asked of hosts."""

from __future__ import annotations

import gc
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

from mailstack.run import deploy_file


def spare_work() -> None:
    """Keep Python from work that no deploy gains by; of a run that changes nothing it was a good part."""
    _know_deploy_file()
    _keep_imports()


@cache
def _keep_imports() -> None:
    """Once a run, as to ask whether it was done takes as long: what was imported stays until the end.

    Python would go through it several times, in search of cycles.
    """
    gc.freeze()


def _know_deploy_file() -> None:
    """Let ``inspect`` find the deploy file that runs among the modules.

    pyinfra executes that file, so it is none, and looks at the call stack for each operation, to know their
    order. For each frame of such a file ``inspect.getmodule`` then goes through all modules that there are,
    more than a thousand, three times an operation.
    """
    if found := deploy_file():
        path = Path(found).absolute()
        module = ModuleType(f"deploy file {path}")
        module.__file__ = str(path)
        sys.modules.setdefault(module.__name__, module)
