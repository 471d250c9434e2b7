"""What all tests share: a Docker engine, how they are divided among workers, and what goes at the end."""

from __future__ import annotations

import os
import re
import uuid
from collections.abc import Callable
from typing import Any

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


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--debian`, which leaves out the tests of the other release."""
    parser.addoption(
        "--debian", type=int, choices=sorted(images.CODENAMES), help="test on this release alone"
    )


def params(item: pytest.Item) -> dict[str, Any]:
    """Return the parameters of a test, by name."""
    return item.callspec.params if hasattr(item, "callspec") else {}


def leave_out(
    config: pytest.Config, items: list[pytest.Item], unwanted: Callable[[pytest.Item], bool]
) -> None:
    """Deselect the tests that are unwanted."""
    config.hook.pytest_deselected(items=[item for item in items if unwanted(item)])
    items[:] = [item for item in items if not unwanted(item)]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the release that `--debian` names, and those that know none."""
    if release := config.getoption("debian"):
        leave_out(config, items, lambda item: params(item).get("debian", release) != release)


def pytest_configure() -> None:
    """pytest's hook: many runs of pyinfra, each a quick one; workers inherit the name of the session."""
    pyinfra.PRELOADED = True
    os.environ.setdefault("MAILSTACK_TEST_SESSION", "kept" if KEEP else uuid.uuid4().hex[:8])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """pytest's hook: the images that the workers shared go with the process that started them."""
    if not KEEP and not hasattr(session.config, "workerinput") and docker_engine.answers():
        for image in images.named(f"{networks.TEST_NAME}-"):
            if image.endswith(f"-{os.environ['MAILSTACK_TEST_SESSION']}"):
                docker("rmi", "--force", image, timeout=90)


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine that answers. Without one, tests fail: skipped tests would look like passed ones."""
    docker_engine.ensure()
