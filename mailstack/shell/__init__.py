"""Shell scripts for a host, independent of the login shell of the SSH user.

Scripts longer than a few commands are files beside this one: ``NAME.sh``, which shellcheck(1) reads too.
"""

from __future__ import annotations

import hashlib
import shlex
from functools import cache
from pathlib import Path

from pyinfra.api.command import StringCommand


def shell(script: str, data: str | None = None) -> StringCommand:
    """Return the command that runs ``script`` in sh(1), which reads it from standard input.

    As an argument, the script would pass through the login shell, and csh(1) takes neither a newline in
    quotes nor a ``!``. The braces make sh(1) read all of it first: a connection that breaks runs nothing.

    + script: one or more lines of shell
    + data: the script's standard input, which ``ps`` does not show; text without NUL. It arrives with a
      newline at its end.
    """
    return StringCommand("sh", _stdin=with_input(script, data))


def with_input(script: str, data: str | None = None) -> str:
    """Return a script that has these data as its standard input; see ``shell``."""
    source = "</dev/null"
    if data is not None:
        # no line of the data can equal this hash
        end = hashlib.sha256(data.encode(errors="surrogateescape")).hexdigest()
        source = f"<<'{end}'\n{data.removesuffix(chr(10))}\n{end}"
    return f"{{\n{script}\n}} {source}\n"


def script(name: str, *arguments: str) -> str:
    """Return the script in the file ``NAME.sh``, with these arguments as its ``$1``, ``$2`` and so on."""
    return f"set -- {shlex.join(arguments)}\n{_text(name)}"


@cache
def _text(name: str) -> str:
    return Path(__file__).with_name(f"{name}.sh").read_text("utf-8")
