"""Programs of the host."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence

from .results import Problem

TIMEOUT = 25


def run(command: Sequence[str], *, data: str | None = None, timeout: float = TIMEOUT) -> tuple[int, str, str]:
    """Run a program, and return its status, output and errors. It is stopped after ``timeout`` seconds."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(
            command,
            input=data or "",
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            env=environment,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Problem(f"{command[0]} did not end within {timeout:.0f} s") from None
    except OSError as error:
        raise Problem(f"{command[0]}: {error.strerror}") from None
    return done.returncode, done.stdout, done.stderr


def one_line(text: str) -> str:
    """Return text on one line, cut where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= 300 else f"{line[:300]}…"
