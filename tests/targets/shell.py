"""Run commands on this machine, always with a timeout."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: The targets' files on this machine: locks, keys, the demo's passwords. Git ignores it.
STATE = ROOT / ".targets"
#: Seconds for a command: many more than any takes, as machines may be busy.
LIMIT = 180.0


class TargetError(RuntimeError):
    """A command failed, or this machine lacks what the targets need."""


def run(
    argv: Sequence[str], *, input: str | None = None, check: bool = True, timeout: float = LIMIT
) -> subprocess.CompletedProcess[str]:
    """Run `argv` and return its output as text; raise `TargetError` if it fails or takes over `timeout` s."""
    with bounded(argv, timeout):
        done = subprocess.run(
            argv,
            input=input,
            stdin=subprocess.DEVNULL if input is None else None,
            capture_output=True,
            encoding="utf-8",
            errors="surrogateescape",
            timeout=timeout,
        )
    return checked(done) if check else done


@contextmanager
def bounded(argv: Sequence[str], timeout: float) -> Iterator[None]:
    """Convert the errors of `subprocess` for `argv` to `TargetError`."""
    try:
        yield
    except subprocess.TimeoutExpired as error:
        raise TargetError(f"not done after {timeout:.0f} s: {_shown(argv)}") from error
    except FileNotFoundError as error:
        raise TargetError(f"command not found: {argv[0]}") from error


def checked(done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
    """Return `done`; raise `TargetError` if it failed."""
    if done.returncode:
        output = (done.stdout + done.stderr).strip()[-4000:]
        raise TargetError(f"exit {done.returncode}: {_shown(done.args)}\n{output}")
    return done


def docker(
    *args: str, input: str | None = None, check: bool = True, timeout: float = LIMIT
) -> subprocess.CompletedProcess[str]:
    """Run `docker …`, as `run` does."""
    return run(["docker", *args], input=input, check=check, timeout=timeout)


@contextmanager
def locked(name: str) -> Iterator[None]:
    """Hold the lock `name` against other processes: two test workers build an image once."""
    STATE.mkdir(exist_ok=True)
    with (STATE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@contextmanager
def step(what: str) -> Iterator[None]:
    """Print the step on stderr, and its time."""
    start = time.monotonic()
    print(f"  {what} …", file=sys.stderr, flush=True)
    yield
    print(f"  {what}: {time.monotonic() - start:.0f} s", file=sys.stderr, flush=True)


def _shown(argv: Sequence[str]) -> str:
    line = " ".join(argv)
    return line if len(line) <= 300 else line[:300] + " …"
