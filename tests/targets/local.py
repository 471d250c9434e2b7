"""pyinfra's @local, run inside of a target: never on the machine that runs the tests."""

from __future__ import annotations

import platform
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from tests.targets.shell import ROOT, STATE, docker, locked, run

if TYPE_CHECKING:
    from tests.targets.containers import Target

PYTHON = {12: "3.11", 13: "3.13"}
HOME = "/opt/mailstack"


def install(target: Target, *, timeout: float = 300) -> None:
    """Install the project's wheel, and what it depends on, into /opt/mailstack on the target.

    The wheels come from here: a target need not reach a package index.
    """
    target.exec("apt-get install -qy --no-install-recommends python3-venv", timeout=timeout)
    target.exec(["python3", "-m", "venv", HOME], timeout=timeout)
    with TemporaryDirectory(prefix="mailstack-") as directory:
        wheel = build_wheel(Path(directory))
        docker("cp", str(wheel), f"{target.name}:/opt/{wheel.name}")
        docker("cp", str(_dependencies(wheel, target.debian)), f"{target.name}:/opt/wheels")
    pip = f"{HOME}/bin/pip install --quiet --no-compile --no-index --find-links /opt/wheels"
    target.exec([*pip.split(), f"/opt/{wheel.name}"], timeout=timeout)


def build_wheel(directory: Path) -> Path:
    """Return the project's wheel, built into `directory`."""
    run(
        [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(directory), str(ROOT)],
        timeout=300,
    )
    return next(directory.glob("mailstack-*.whl"))


def pyinfra(
    target: Target, deploy: str, *args: str, data: Mapping[str, Any] | None = None, timeout: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run `pyinfra INVENTORY deploy.py *args` on the target itself; `deploy` is the deploy's text.

    The inventory is @local with `data`. A run that fails is returned too.
    """
    target.exec(["install", "-d", "-m", "700", "/root/deploy"])
    target.write("/root/deploy/inventory.py", f"hosts = [('@local', {dict(data or {})!r})]\n".encode())
    target.write("/root/deploy/deploy.py", deploy.encode())
    command = ["env", "-C", "/root/deploy", f"{HOME}/bin/pyinfra", "inventory.py", "deploy.py", *args]
    return target.exec(command, check=False, timeout=timeout)


def _dependencies(wheel: Path, debian: int) -> Path:
    """Return a directory with the wheels that `wheel` needs, for the Python of that Debian; made once."""
    directory = STATE / f"wheels-{debian}"
    machine = platform.machine()
    tags = [f"--platform={tag}_{machine}" for tag in ("manylinux_2_28", "manylinux_2_17", "manylinux2014")]
    choice = ["--only-binary=:all:", "--implementation=cp", f"--python-version={PYTHON[debian]}", *tags]
    with locked(f"wheels-{debian}"):
        if not (directory / "complete").exists():
            run(
                [sys.executable, "-m", "pip", "download", "-q", "-d", str(directory), *choice, str(wheel)],
                timeout=300,
            )
            for own in directory.glob("mailstack-*.whl"):
                own.unlink()
            (directory / "complete").touch()
    return directory
