"""A Docker engine: the running one, or one that is installed and started here."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

from tests.targets.shell import TargetError, docker, locked, run, step

LOG = Path("/var/log/mailstack-dockerd.log")


def ensure() -> None:
    """Make sure that a Docker engine answers. Raises `TargetError` if that is impossible."""
    if answers():
        return
    with locked("engine"):
        if answers():
            return
        if os.geteuid() != 0:
            raise TargetError("no Docker engine answers, and only root can start one: " + _complaint())
        if shutil.which("dockerd") is None or shutil.which("docker") is None:
            install()
        start()


def answers() -> bool:
    """Return whether `docker` is installed and its engine can be reached."""
    if shutil.which("docker") is None:
        return False
    return docker("version", "--format", "{{.Server.Version}}", check=False).returncode == 0


def install() -> None:
    """Install Debian's own Docker."""
    with step("installing docker.io"):
        apt_install("docker.io", "iptables", "docker-cli")


def apt_install(*packages: str) -> None:
    """Install Debian packages on this machine, as root; those that its release does not know are left out."""
    if os.geteuid() != 0 or shutil.which("apt-get") is None:
        raise TargetError(f"{packages[0]} is missing, and only root on Debian can install it here")
    run(["apt-get", "update", "-q"], check=False, timeout=300)  # a dead third-party source need not matter
    known = [name for name in packages if run(["apt-cache", "show", name], check=False).returncode == 0]
    install = ["apt-get", "install", "-qy", "--no-install-recommends", *known]
    run(["env", "DEBIAN_FRONTEND=noninteractive", *install], timeout=900)


def start() -> None:
    """Start the engine: by systemd where that runs, by hand elsewhere; wait until it answers."""
    with step("starting the Docker engine"):
        if Path("/run/systemd/system").is_dir():
            run(["systemctl", "start", "docker"], timeout=120)
        elif not answers():
            # All of its stdio goes to the log: a daemon that holds our pipe would make our caller hang.
            with LOG.open("ab") as log:
                subprocess.Popen(
                    ["dockerd"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
                )
        deadline = time.monotonic() + 60
        while not answers():
            if time.monotonic() > deadline:
                raise TargetError(f"the Docker engine does not answer; see {LOG}: {_complaint()}")
            time.sleep(0.5)


def _complaint() -> str:
    if shutil.which("docker") is None:
        return "docker is not installed"
    return docker("version", check=False).stderr.strip()
