"""A folder of `examples/` or of `mailstack init`, used as its README or page says: over SSH, by its names."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.support.sample_accounts import ALICE, PASSWORDS
from tests.targets.containers import Target
from tests.targets.pyinfra import PyinfraRun
from tests.targets.shell import ROOT

MAILSTACK = str(Path(sys.executable).with_name("mailstack"))
_HOST = """\
Host {name}
  HostName {address}
  IdentityFile {key}
  StrictHostKeyChecking accept-new
"""


@dataclass(frozen=True)
class Example:
    """A copy of the folder, and the home directory of a user whose SSH finds the hosts by their names."""

    folder: Path
    environment: Mapping[str, str]

    def deploy(self) -> list[str]:
        """Deploy it; return the operations that changed something."""
        return self.run("deploy", "-y", "--json").changed

    def add_alice(self) -> None:
        """Add the user that the READMEs add."""
        self.run("user", "add", ALICE, "-y", "--password-from", "env:ALICE")

    def write(self, name: str, text: str, replaced: Mapping[str, str]) -> None:
        """Write a file of the folder, with some texts replaced."""
        file = self.folder / name
        file.parent.mkdir(exist_ok=True)
        for old, new in replaced.items():
            text = text.replace(old, new)
        file.write_text(text)

    def run(self, *words: str) -> PyinfraRun:
        """Run `mailstack WORDS` in the folder; raise `TargetError` if it fails."""
        done = subprocess.run(
            [MAILSTACK, *words],
            cwd=self.folder,
            env={**os.environ, **self.environment, "ALICE": PASSWORDS[ALICE]},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=900,
        )
        return PyinfraRun(done.returncode, done.stdout, done.stderr).check()


def prepared(
    name: str,
    place: Path,
    hosts: Mapping[str, Target],
    replaced: Mapping[str, str] | None = None,
    environment: Mapping[str, str] | None = None,
) -> Example:
    """Copy an example to `place`, an empty directory, and give SSH there the addresses of its hosts.

    + hosts: the targets, by their names in the inventory
    + replaced: texts in the inventory and the settings, such as addresses, that are others here
    + environment: the variables that its settings read
    """
    example = Example(place / name, {"HOME": str(place), **(environment or {})})
    shutil.copytree(ROOT / "examples" / name, example.folder)
    for file in example.folder.rglob("*.py"):
        example.write(str(file.relative_to(example.folder)), file.read_text(), replaced or {})
    _reach(hosts, place / ".ssh")
    return example


def begun(place: Path, hosts: Mapping[str, Target]) -> Example:
    """Return a folder in `place`, an empty directory, in which `mailstack init` was answered with a host.

    + hosts: the targets by their names: this host, and others to come
    """
    example = Example(place / "server", {"HOME": str(place)})
    example.folder.mkdir()
    _reach(hosts, place / ".ssh")
    example.run("init", "--host", next(iter(hosts)), "--domain", ALICE.partition("@")[2], "--user", ALICE)
    return example


def _reach(hosts: Mapping[str, Target], ssh: Path) -> None:
    """Make SSH find the hosts by their names, and log in there."""
    ssh.mkdir(mode=0o700)
    config = ""
    for host, target in hosts.items():
        key = ssh / host
        key.touch(mode=0o600)
        key.write_text(target.ssh_key())
        config += _HOST.format(name=host, address=target.ip, key=key)
    (ssh / "config").write_text(config)
