"""Identical bare targets for the compared ways to deploy."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory, mkdtemp
from typing import Any

from bench.kit import Kit
from bench.runs import Runs
from tests.support import sample_accounts
from tests.targets import networks
from tests.targets.containers import Target
from tests.targets.shell import docker, step

#: One release is enough to compare; the environment may name the other.
DEBIAN = int(os.environ.get("MAILSTACK_BENCH_DEBIAN", "13"))
_NAME = f"{networks.TEST_NAME}-bench-{DEBIAN}"
_USERS = 10
#: The package that Ansible needs, and most hosts have.
_PYTHON = "python3 python3-apt"


def data() -> dict[str, Any]:
    """Return the standard test server, with ten users."""
    more = [
        {"email": f"user{number}@example.org", "initial_password": f"password {number}"}
        for number in range(_USERS - len(sample_accounts.USERS))
    ]
    return sample_accounts.data(mail_users=[*sample_accounts.USERS, *more])


class Fleet:
    """Targets from one image: fresh package lists, and all packages downloaded, so no mirror is measured."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._targets: dict[str, Target] = {}
        self._image = f"{_NAME}:bare"

    def bare(self, kind: str) -> Runs:
        """Return a new target, for one way to deploy; an older one of this name goes."""
        return self._runs(kind, self._target(kind).create(self._image))

    def make_image(self) -> None:
        """Make the image."""
        target = self._target("image").create()
        kit = self._runs("image", target).kit
        apt = "export DEBIAN_FRONTEND=noninteractive; apt-get -qy --no-install-recommends"
        target.exec("apt-get update -q", timeout=300)
        target.exec(f"{apt} install {_PYTHON}", timeout=300)
        packages = f"{' '.join(kit.packages)} python3-psycopg2"
        target.exec(f"{apt} --download-only install {packages}", timeout=600)
        target.stop()
        target.commit(self._image)
        target.remove()

    def close(self) -> None:
        """Remove everything."""
        for target in self._targets.values():
            target.remove()
        docker("rmi", "--force", self._image, check=False)

    def _target(self, kind: str) -> Target:
        return self._targets.setdefault(kind, Target(f"{_NAME}-{kind}", DEBIAN, networks.test(DEBIAN)))

    def _runs(self, kind: str, target: Target) -> Runs:
        folder = Path(mkdtemp(dir=self._folder, prefix=f"{kind}-"))
        return Runs(target, data(), Kit.of(DEBIAN, data(), folder / "kit"), folder)


@contextmanager
def fleet() -> Iterator[Fleet]:
    """Yield a fleet, which is removed in the end."""
    with TemporaryDirectory(prefix="mailstack-bench-") as folder:
        ours = Fleet(Path(folder))
        try:
            with step(f"making the bare image for Debian {DEBIAN}"):
                ours.make_image()
            yield ours
        finally:
            ours.close()
