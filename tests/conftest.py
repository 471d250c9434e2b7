"""What all tests share: a Docker engine, how they are divided among workers, and what goes at the end."""

from __future__ import annotations

import os
import re

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.targets import engine as docker_engine
from tests.targets import images, networks, pyinfra
from tests.targets.shell import docker

#: With MAILSTACK_KEEP=1 the standard server and the peer outlive the tests, and the next run reuses them.
KEEP = os.environ.get("MAILSTACK_KEEP") == "1"


class FileByFile(LoadScopeScheduling):
    """A worker takes the tests of one file, one Debian and one engine, which share targets; then the next."""

    def _split_scope(self, nodeid: str) -> str:
        file, _, test = nodeid.partition("::")
        return " ".join(
            [file, *sorted(re.findall(r"debian\d+|postgresql|mysql", test.partition("[")[2])[:2])]
        )


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FileByFile:
    """pytest-xdist's hook: who runs which test, in the order of the collection."""
    config.option.loadscopereorder = False
    return FileByFile(config, log)


def pytest_sessionstart(session: pytest.Session) -> None:
    """pytest's hook: nothing of an earlier run that was cut off; many runs of pyinfra, each a quick one."""
    pyinfra.PRELOADED = True
    _remove_images(session)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """pytest's hook: nothing stays."""
    _remove_images(session)


def _remove_images(session: pytest.Session) -> None:
    """Remove the images that the workers share; the process that started the workers does it."""
    if not KEEP and not hasattr(session.config, "workerinput") and docker_engine.answers():
        for kind in ("deployed", "installed"):
            for image in images.named(f"{networks.TEST_NAME}-{kind}:"):
                docker("rmi", "--force", image, timeout=90)


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine that answers. Without one, tests fail: skipped tests would look like passed ones."""
    docker_engine.ensure()
