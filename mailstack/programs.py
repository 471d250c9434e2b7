"""Programs for a host, as archives that Python runs."""

from __future__ import annotations

import base64
import io
import zipfile
from functools import cache
from pathlib import Path
from types import ModuleType

_START = "import runpy; runpy.run_module({!r}, run_name='__main__', alter_sys=True)\n"


@cache
def archive(program: ModuleType) -> str:
    """Return a module or package of ``mailstack.on_host`` as base64 of an archive that Python runs."""
    path = Path(str(program.__file__))
    name = program.__name__.rpartition(".")[2]
    is_package = path.name == "__init__.py"
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as files:
        files.writestr("__main__.py", _START.format(name))
        for file in sorted(path.parent.glob("*.py")) if is_package else [path]:
            files.writestr(f"{name}/{file.name}" if is_package else file.name, file.read_text("utf-8"))
    return base64.b64encode(packed.getvalue()).decode()
