"""Shell scripts for a host, whatever the login shell of the account is that SSH comes in by."""

from __future__ import annotations

import hashlib

from pyinfra.api.command import StringCommand


def shell(script: str, data: str | None = None) -> StringCommand:
    """Return the command that runs ``script`` in sh(1), which reads it from standard input.

    As an argument, the script would pass through the login shell, and csh(1) takes neither a newline in
    quotes nor a ``!``. The braces make sh(1) read all of it first: a connection that breaks runs nothing.

    + script: one or more lines of shell
    + data: what the script finds on its standard input, out of sight of ``ps``; text without NUL. It arrives
      with a newline at its end.
    """
    source = "</dev/null"
    if data is not None:
        # no line of the data can be this one
        end = hashlib.sha256(data.encode(errors="surrogateescape")).hexdigest()
        source = f"<<'{end}'\n{data.removesuffix(chr(10))}\n{end}"
    return StringCommand("sh", _stdin=f"{{\n{script}\n}} {source}\n")
