"""Ways to deploy one target, each as a run that returns its seconds."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tarfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.kit import Kit
from tests.targets import pyinfra
from tests.targets.containers import Target
from tests.targets.shell import ROOT, TargetError

PEERS = Path(__file__).with_name("peers")
_ANSIBLE = str(Path(sys.executable).with_name("ansible-playbook"))

Connector = Literal["docker", "ssh"]
Settings = Mapping[str, object]


@dataclass(frozen=True)
class Runs:
    """Runs against one target.

    + data: the host data of mailstack's deploy
    + kit: the files for the other ways
    + folder: the directory for inventories and keys, which are written once, outside the measured time
    """

    target: Target
    data: Mapping[str, Any]
    kit: Kit
    folder: Path
    #: Where SSH connects to instead of the target itself: a port of 127.0.0.1.
    line: int | None = None

    def ours(self, settings: Settings | None = None, connector: Connector = "docker") -> float:
        """Run `pyinfra INVENTORY deploy.py` with these further settings."""
        return self._pyinfra(connector, "deploy.py", {**self.data, **(settings or {})})

    def nothing(self, connector: Connector = "docker") -> float:
        """Return a deploy that does nothing, with the same data."""
        return self._pyinfra(connector, str(PEERS / "nothing.py"), self.data)

    def plain(self, settings: Settings | None = None, connector: Connector = "docker") -> float:
        """Run the deploy with pyinfra's own operations."""
        data = {"kit": str(self.kit.folder), "changed": settings or {}}
        return self._pyinfra(connector, str(PEERS / "plain.py"), data)

    def playbook(self, settings: Settings | None = None, connector: Connector = "docker") -> float:
        """Return the playbook of the peer."""
        variables = self.kit.folder / "values.json"
        more = json.dumps({"kit": str(self.kit.folder), **(settings or {})})
        options = ["--extra-vars", f"@{variables}", "--extra-vars", more]
        argv = [_ANSIBLE, "--inventory", str(self._ansible_inventory(connector)), *options]
        env = {"ANSIBLE_CONFIG": str(PEERS / "ansible.cfg"), "ANSIBLE_HOME": str(self.folder / "ansible")}
        return _timed([*argv, str(PEERS / "playbook.yml")], env=env)

    def floor(self) -> float:
        """Return the shell script; sending it and what it installs is part of it."""
        values = json.loads((self.kit.folder / "values.json").read_text())
        names = ("postgresql_unit", "vmail_uid", "vmail_gid", "mail_hostname", "db_name")
        arguments = [str(values[name]) for name in names]
        start = time.monotonic()
        archive = io.BytesIO()
        with tarfile.open(fileobj=archive, mode="w") as tar:
            tar.add(self.kit.folder, ".")
            tar.add(PEERS / "floor.sh", "floor.sh")
        unpack = 'mkdir /root/kit; cd /root/kit; tar -x; exec sh floor.sh "$@"'
        argv = ["docker", "exec", "-i", self.target.name, "sh", "-c", unpack, "sh", *arguments]
        _timed(argv, input=archive.getvalue())
        return time.monotonic() - start

    def commands(self, connector: Connector) -> int:
        """Return how many commands a run of ours has run on the host."""
        inventory = self._inventory(connector, self.data)
        said = pyinfra.pyinfra(inventory, "-y", "--debug", "deploy.py").check()
        return sum("Running command on" in line for line in said.stderr.splitlines())

    def queries(self, settings: Settings | None = None) -> int:
        """Return how many queries a run of ours asks the database."""
        runuser = ["runuser", "-u", "postgres", "--", "psql", "-AtXq"]
        statement = "ALTER SYSTEM SET log_statement = '{}'", "SELECT pg_reload_conf()"
        log = "cat /var/log/postgresql/*-main.log | grep -c 'postgres@.*statement: '; true"

        def record(what: str) -> int:
            counted = int(self.target.exec(log).stdout)
            self.target.exec([*runuser, "-c", statement[0].format(what), "-c", statement[1]])
            return counted

        record("all")
        before = int(self.target.exec(log).stdout)
        self.ours(settings)
        return record("none") - before

    def _pyinfra(self, connector: Connector, deploy: str, data: Mapping[str, Any]) -> float:
        inventory = self._inventory(connector, data)
        start = time.monotonic()
        pyinfra.pyinfra(inventory, "-y", deploy, timeout=900).check()
        return time.monotonic() - start

    def _inventory(self, connector: Connector, data: Mapping[str, Any]) -> Path:
        name = f"@docker/{self.target.name}"
        if connector == "ssh":
            name = self.target.name
            data = {
                **data,
                "ssh_user": "root",
                "ssh_hostname": self._ssh[0],
                "ssh_port": self._ssh[1],
                "ssh_key": str(self._key()),
                "ssh_known_hosts_file": str(self.folder / "known_hosts"),
            }
        return inventory(self.folder / f"{connector}.py", [(name, data)])

    def _ansible_inventory(self, connector: Connector) -> Path:
        variables: dict[str, object] = {"ansible_connection": "community.docker.docker"}
        if connector == "ssh":
            variables = {
                "ansible_host": self._ssh[0],
                "ansible_port": self._ssh[1],
                "ansible_user": "root",
                "ansible_ssh_private_key_file": str(self._key()),
            }
        path = self.folder / f"{connector}.yml"
        path.write_text(json.dumps({"all": {"hosts": {self.target.name: variables}}}))
        return path

    @property
    def _ssh(self) -> tuple[str, int]:
        return ("127.0.0.1", self.line) if self.line else (self.target.ip, 22)

    def _key(self) -> Path:
        key = self.folder / "key"
        if not key.exists():
            key.touch(mode=0o600)
            key.write_text(self.target.ssh_key())
        return key


def inventory(path: Path, hosts: Sequence[tuple[str, Mapping[str, Any]]]) -> Path:
    """Write an inventory of these hosts with their data, which may have secrets."""
    path.touch(mode=0o600)
    path.write_text(f"hosts = {[(name, dict(data)) for name, data in hosts]!r}\n")
    return path


def _timed(argv: Sequence[str], env: Mapping[str, str] | None = None, input: bytes = b"") -> float:
    start = time.monotonic()
    done = subprocess.run(
        argv, input=input, capture_output=True, env={**os.environ, **(env or {})}, cwd=ROOT, timeout=900
    )
    if done.returncode:
        output = (done.stdout + done.stderr).decode(errors="replace")[-6000:]
        raise TargetError(f"exit {done.returncode}: {' '.join(argv)[:200]}\n{output}")
    return time.monotonic() - start
