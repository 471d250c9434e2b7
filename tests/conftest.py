"""What all tests share: a Docker engine, and one worker a Debian release."""

from __future__ import annotations

import re

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from tests.targets import engine as docker_engine


class OneWorkerADebian(LoadScopeScheduling):
    """With `-n 2`, one worker starts the targets of Debian 12, the other those of Debian 13, each once.

    `--dist loadgroup` is for that, but pytest-xdist 3.8 sets a private attribute that pytest 9.2 has no more.
    """

    def _split_scope(self, nodeid: str) -> str:
        debian = re.search(r"\[.*(debian\d+)", nodeid)
        return debian[1] if debian else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneWorkerADebian:
    """pytest-xdist's hook: who runs which test."""
    return OneWorkerADebian(config, log)


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine that answers. Without one, tests fail: skipped tests would look like passed ones."""
    docker_engine.ensure()
