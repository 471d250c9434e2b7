"""pyinfra, run as a user runs it: its command line, an inventory file, a working directory."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.targets import preloaded
from tests.targets.shell import ROOT, TargetError

PYINFRA = str(Path(sys.executable).with_name("pyinfra"))
#: Whether runs may be forks of a process that has imported pyinfra: in tests, not where time is measured.
PRELOADED = False


@dataclass(frozen=True)
class PyinfraRun:
    """The result of a run of pyinfra."""

    returncode: int
    stdout: str
    stderr: str

    @property
    def json(self) -> dict[str, Any]:
        """The output of `--json`: `plan` and `results`."""
        payload: dict[str, Any] = json.loads(self.stdout)
        return payload

    @property
    def changed(self) -> list[str]:
        """The operations that changed something, in their order; of a run with `--json`."""
        return [operation["name"] for operation in self.json["results"]["operations"] if operation["success"]]

    @property
    def planned(self) -> list[str]:
        """The operations that would change something, in their order; of a `--dry` run with `--json`."""
        return [
            operation["name"]
            for operation in self.json["plan"]
            if operation["hosts_with_change"] or operation["hosts_with_conditional_change"]
        ]

    def check(self) -> PyinfraRun:
        """Return itself, or raise `TargetError` if the run failed."""
        if self.returncode:
            raise TargetError(
                f"pyinfra: exit {self.returncode}\n{self.stdout[-8000:]}\n{self.stderr[-6000:]}"
            )
        return self


def run_pyinfra(
    host: str,
    *args: str,
    data: Mapping[str, Any] | None = None,
    ssh: Mapping[str, Any] | None = None,
    **options: Any,
) -> PyinfraRun:
    """Run pyinfra with an inventory of one `host` that has `data`; `options` are those of `pyinfra`.

    `ssh` is the connector's data, with the key's text as `ssh_key_text`.
    """
    with tempfile.TemporaryDirectory(prefix="mailstack-") as directory:
        host_data = dict(data or {})
        if ssh:
            key = Path(directory) / "key"
            key.touch(mode=0o600)
            key.write_text(ssh["ssh_key_text"])
            host_data |= {name: value for name, value in ssh.items() if name != "ssh_key_text"}
            host_data |= {"ssh_key": str(key), "ssh_known_hosts_file": str(Path(directory) / "known_hosts")}
        inventory = Path(directory) / "inventory.py"
        inventory.touch(mode=0o600)
        inventory.write_text(f"hosts = [({host!r}, {host_data!r})]\n")
        return pyinfra(inventory, *args, **options)


def pyinfra(
    inventory: Path,
    *args: str,
    env: Mapping[str, str] | None = None,
    cwd: Path = ROOT,
    timeout: float = 600,
    show_log: bool = False,
    input: str = "",
) -> PyinfraRun:
    """Run `pyinfra INVENTORY *args` in `cwd`, with `env` added to the environment.

    `input` is what a user types. Bounded by `timeout` seconds. A run that fails is returned too: `check()` it
    where it must not. `show_log` leaves stderr, where pyinfra says what it does, to the terminal.
    """
    argv = [PYINFRA, str(inventory), *args]
    where: dict[str, Any] = {"env": {**os.environ, **(env or {})}, "cwd": cwd, "timeout": timeout}
    try:
        if PRELOADED and not show_log and "PYTHONPATH" not in (env or {}):  # with another mailstack
            done = preloaded.run(argv, input=input, **where)
        else:
            stderr = None if show_log else subprocess.PIPE
            done = subprocess.run(
                argv, input=input, stdout=subprocess.PIPE, stderr=stderr, text=True, **where
            )
    except subprocess.TimeoutExpired as error:
        raise TargetError(f"not done after {timeout:.0f} s: {' '.join(argv)}\n{error.stderr!r}") from error
    return PyinfraRun(done.returncode, done.stdout, done.stderr or "")
