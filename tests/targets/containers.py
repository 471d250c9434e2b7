"""Containers with a real systemd as PID 1: hosts to deploy to, and the peer, which is all other servers."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from tests.targets import images, session
from tests.targets.networks import Network
from tests.targets.pyinfra import PyinfraRun, run_pyinfra
from tests.targets.shell import LIMIT, TargetError, bounded, checked, docker

#: systemd without --privileged, which some hosts refuse; on cgroup v1 and v2 alike. No tmpfs on /tmp:
#: `docker cp`, which pyinfra's @docker uses, would write underneath it.
SYSTEMD = (
    *(
        "--cap-add",
        "SYS_ADMIN",
        "--cap-add",
        "NET_ADMIN",
        "--security-opt",
        "seccomp=unconfined",
        "--security-opt",
        "apparmor=unconfined",
    ),
    *(
        "--tmpfs",
        "/run",
        "--tmpfs",
        "/run/lock",
        "--volume",
        "/sys/fs/cgroup:/sys/fs/cgroup:rw",
        "--cgroupns=host",
    ),
    *("--env", "container=docker", "--env", "SYSTEMD_CGROUP_ENABLE_LEGACY_FORCE=1"),
    *("--stop-signal", "SIGRTMIN+3"),
)
#: Daemons ask the resolver for the name of each client. A lost answer would cost five seconds.
_RESOLVER = ("--dns-option", "timeout:1", "--dns-option", "attempts:5")
_NO_IPV6 = {"seccomp=unconfined": f"seccomp={Path(__file__).parent}/recipes/no-ipv6.json"}
_NO_NFTABLES = {"NET_ADMIN": "SYS_ADMIN"}


@dataclass(frozen=True)
class Target:
    """One host. `aliases` are more names for it on its network; `ports` are published on 127.0.0.1.

    Without `ipv6` it is as if the kernel had none: socket(2) fails. Without `nftables` it may have no rules.
    With `ptrace` root may trace all processes.
    """

    name: str
    debian: int
    network: Network
    hostname: str = "mail.example.org"
    aliases: Sequence[str] = ()
    ports: Mapping[int, int] = field(default_factory=dict)
    ipv6: bool = True
    nftables: bool = True
    ptrace: bool = False

    def create(self, image: str | None = None) -> Target:
        """Replace the container with a new one from `image` or the bare image; wait until it has booted."""
        image = image or images.target_image(self.debian)
        self.remove()
        network = ["--network", self.network.ensure()]
        for alias in self.aliases:
            network += ["--network-alias", alias]
        for ours, theirs in self.ports.items():
            network += ["--publish", f"127.0.0.1:{ours}:{theirs}"]
        debs = ("--volume", f"mailstack-debs-{self.debian}:/var/cache/debs")
        changed = {**({} if self.ipv6 else _NO_IPV6), **({} if self.nftables else _NO_NFTABLES)}
        systemd = [changed.get(option, option) for option in SYSTEMD]
        systemd += ["--cap-add", "SYS_PTRACE"] if self.ptrace else []
        names = ("--name", self.name, "--hostname", self.hostname)
        docker("run", "-d", *names, *systemd, *network, *_RESOLVER, *debs, image)
        self.wait()
        return self

    def exists(self) -> bool:
        """Return whether there is a container of this name, running or not."""
        return docker("container", "inspect", self.name, check=False).returncode == 0

    def running(self) -> bool:
        """Return whether the container runs."""
        state = docker("container", "inspect", "--format", "{{.State.Running}}", self.name, check=False)
        return state.stdout.strip() == "true"

    def image(self) -> str:
        """Return the image that the container was made from."""
        return docker("container", "inspect", "--format", "{{.Config.Image}}", self.name).stdout.strip()

    def start(self) -> None:
        """Start the stopped container, and wait until systemd has booted it."""
        docker("start", self.name)
        self.wait()

    def stop(self) -> None:
        """Shut the host down cleanly."""
        docker("stop", "--time", "60", self.name)

    def limit_memory(self, limit: str) -> None:
        """Limit the memory of all processes together, without swap."""
        docker("update", "--memory", limit, "--memory-swap", limit, self.name)

    def remove(self) -> None:
        """Remove the container, if there is one."""
        docker("rm", "--force", "--volumes", self.name, check=False)

    def wait(self, timeout: float = 180) -> None:
        """Wait until systemd has finished its start jobs. Tests find failed units themselves."""
        _endpoints.cache_clear()
        deadline = time.monotonic() + timeout
        # no shell that stays as yet: it would be in systemd's way
        wait = ("exec", self.name, "timeout", f"{timeout:.0f}", "systemctl", "is-system-running", "--wait")
        while True:
            state = docker(*wait, check=False, timeout=timeout + 10).stdout.strip()
            if state in ("running", "degraded"):
                return
            if time.monotonic() > deadline or not self.running():
                log = docker("logs", "--tail", "20", self.name, check=False)
                raise TargetError(
                    f"{self.name} did not boot within {timeout:.0f} s: {state}\n{log.stdout}{log.stderr}"
                )
            time.sleep(0.2)

    def exec(
        self,
        cmd: Sequence[str] | str,
        *,
        input: str | None = None,
        check: bool = True,
        timeout: float = LIMIT,
    ) -> subprocess.CompletedProcess[str]:
        """Run a command (a str: by the shell) as root in the container; `TargetError` if it fails."""
        argv = ["sh", "-c", cmd] if isinstance(cmd, str) else list(cmd)
        given = (input or "").encode(errors="surrogateescape")
        with bounded(argv, timeout):
            done = session.execute(self.name, argv, timeout, given)
        said = [text.decode(errors="surrogateescape") for text in (done.stdout, done.stderr)]
        text = subprocess.CompletedProcess(
            done.args, done.returncode, *(each.replace("\r\n", "\n") for each in said)
        )
        return checked(text) if check else text

    def read(self, path: str) -> bytes:
        """Return the content of a file in the container, as it is."""
        done = session.execute(self.name, ["cat", path], LIMIT)
        if done.returncode:
            raise TargetError(f"{self.name}: {done.stderr.decode(errors='replace').strip()}")
        return done.stdout

    def write(self, path: str, content: bytes) -> None:
        """Write a file in the container, mode and owner as the shell makes them."""
        done = session.execute(self.name, ["sh", "-c", 'cat > "$1"', "sh", path], LIMIT, content)
        if done.returncode:
            raise TargetError(f"{self.name}: {done.stderr.decode(errors='replace').strip()}")

    @property
    def ip(self) -> str:
        """The IPv4 address."""
        return str(_endpoints(self.name)[self.network.name]["IPAddress"])

    @property
    def ip6(self) -> str:
        """The global IPv6 address."""
        return str(_endpoints(self.name)[self.network.name]["GlobalIPv6Address"])

    def commit(self, tag: str) -> str:
        """Keep the stopped host as the image `tag`, from which others start in seconds."""
        docker("commit", "--change", 'CMD ["/sbin/init"]', self.name, tag, timeout=300)
        return tag

    def pyinfra(self, *args: str, connector: str = "docker", **options: Any) -> PyinfraRun:
        """Run pyinfra against this host by `connector`: docker, ssh (as root), ssh-admin (who may sudo).

        `args` are pyinfra's own, without the inventory; `options` are those of `run_pyinfra`.
        """
        if connector == "docker":
            return run_pyinfra(f"@docker/{self.name}", *args, **options)
        user = {"ssh": "root", "ssh-admin": "admin"}[connector]
        ssh = {"ssh_user": user, "ssh_key_text": self.ssh_key(user), "ssh_hostname": self.ip}
        return run_pyinfra(self.name, *args, ssh=ssh, **options)

    def ssh_key(self, user: str = "root") -> str:
        """Return a private key that opens `user` over SSH; made on first use."""
        keygen = (
            "set -e; umask 077; cd; test ! -e .ssh/id_ed25519 || exit 0; mkdir -p .ssh; "
            "ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519; cp .ssh/id_ed25519.pub .ssh/authorized_keys"
        )
        self.exec(["su", "-s", "/bin/sh", user, "-c", keygen])
        return self.exec(f"cat ~{user}/.ssh/id_ed25519").stdout


@cache
def _endpoints(container: str) -> dict[str, Any]:
    """Return the addresses of a container by network, which change when it is started again."""
    networks = docker("container", "inspect", "--format", "{{json .NetworkSettings.Networks}}", container)
    endpoints: dict[str, Any] = json.loads(networks.stdout)
    return endpoints


def peer(name: str, network: Network, *, keep: bool = False) -> Target:
    """Return the peer: remote.example.net, which accepts and keeps mail, and whose clients are strangers.

    `keep` reuses a running peer of the current image.
    """
    target = Target(name, 13, network, hostname="remote.example.net", aliases=("remote.example.net",))
    image = images.peer_image()
    return target if keep and target.running() and target.image() == image else target.create(image)
