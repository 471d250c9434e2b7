"""Render ``templates/``. Pure."""

from __future__ import annotations

import shlex
from contextlib import suppress
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

from mailstack import secrets


def render(name: str, **values: object) -> str:
    """Render the template ``name``, its path below ``templates/`` without ``.j2``, with these values.

    Raises ``jinja2.UndefinedError`` for a value that the template needs and that is missing.
    """
    return _environment().get_template(f"{name}.j2").render(**values)


@cache
def _environment() -> Environment:
    package = Path(__file__).parent
    # a wheel has the templates in the package; in the source tree they are beside it
    folders = [package / "templates", package.parent / "templates"]
    compiled = None
    with suppress(OSError, RuntimeError):  # no directory for temporary files, or not a safe one
        # otherwise each run would compile the same templates again
        compiled = FileSystemBytecodeCache()
    environment = Environment(
        auto_reload=False,  # otherwise each use looks whether the template has changed
        bytecode_cache=compiled,
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["secret"] = secrets.placeholder
    environment.filters["quoted"] = (
        shlex.quote
    )  # for shell: an address may have a quote, a backtick and a dollar
    return environment
