"""Render ``templates/``: text in, text out, no host."""

from __future__ import annotations

from contextlib import suppress
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

from mailstack import secrets


def render(name: str, **values: object) -> str:
    """The template ``name`` (its path below ``templates/``, without ``.j2``) with these values filled in.

    Raises ``jinja2.UndefinedError`` for a value that the template wants and that is not given.
    """
    return _environment().get_template(f"{name}.j2").render(**values)


@cache
def _environment() -> Environment:
    package = Path(__file__).parent
    # a wheel carries the templates in the package; in the source tree they are beside it
    folders = [package / "templates", package.parent / "templates"]
    compiled = None
    with suppress(OSError, RuntimeError):  # without a directory for temporary files that is safe, or any
        # or each run would spend a while on compiling the same templates
        compiled = FileSystemBytecodeCache()
    environment = Environment(
        bytecode_cache=compiled,
        loader=FileSystemLoader(folders),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.globals["secret"] = secrets.placeholder
    return environment
