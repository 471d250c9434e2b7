"""pyinfra's command line in a process with its modules loaded, as imports are most of a short run's time.

A server process imports them once; each run is a fork of it, so that no run affects another.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from multiprocessing import get_context
from multiprocessing.process import BaseProcess
from pathlib import Path

_MODULES = [
    "pyinfra_cli.main",
    *(
        f"pyinfra.connectors.{name}"
        for name in ("chroot", "docker", "dockerssh", "ssh", "terraform", "vagrant")
    ),
    "pyinfra.operations.server",
    "gevent.fileobject",
    "mailstack.components.mail_server",
]
_STREAMS = ("stdin", "stdout", "stderr")


def run(
    argv: Sequence[str], *, input: str, env: Mapping[str, str], cwd: Path, timeout: float
) -> subprocess.CompletedProcess[str]:
    """Run `argv` as `subprocess.run` does; return exit code and output."""
    context = get_context("forkserver")
    context.set_forkserver_preload(_MODULES)
    with tempfile.TemporaryDirectory(prefix="mailstack-streams-") as directory:
        files = [Path(directory, name) for name in _STREAMS]
        for file, text in zip(files, (input, "", ""), strict=True):
            file.write_text(text)
        process = context.Process(target=_pyinfra, args=(list(argv), dict(env), str(cwd), files))
        process.start()
        process.join(timeout)
        output = [file.read_text(errors="replace") for file in files[1:]]
        return subprocess.CompletedProcess(argv, _exit_code(process, argv, timeout, output), *output)


def _exit_code(process: BaseProcess, argv: Sequence[str], timeout: float, output: list[str]) -> int:
    if process.exitcode is None:
        process.kill()
        process.join()
        raise subprocess.TimeoutExpired(argv, timeout, *output)
    return process.exitcode


def _pyinfra(argv: list[str], env: dict[str, str], cwd: str, files: list[Path]) -> None:
    """Do in the fork what the shell and the script `pyinfra` do."""
    for number, file in enumerate(files):
        os.dup2(os.open(file, os.O_RDWR | os.O_APPEND), number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115 - multiprocessing has closed it
    os.environ.clear()
    os.environ.update(env)
    os.chdir(cwd)
    sys.argv = argv
    from pyinfra_cli.main import main  # type: ignore[import-untyped]

    main()
