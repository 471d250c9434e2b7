"""Shared by all tests: a Docker engine, their distribution to workers, and the cleanup at the end."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from xdist.remote import Producer

from tests.distribution import FolderByFolder
from tests.targets import engine as docker_engine
from tests.targets import images, networks, pyinfra
from tests.targets.shell import docker

#: With MAILSTACK_KEEP=1 the standard server and the peer outlive the tests, and the next run reuses them.
KEEP = os.environ.get("MAILSTACK_KEEP") == "1"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> FolderByFolder:
    """Distribute the tests to workers in the order of the collection; a hook of pytest-xdist."""
    return FolderByFolder(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--debian`, which leaves out the tests of the other release, and `--examples`."""
    parser.addoption(
        "--debian", type=int, choices=sorted(images.CODENAMES), help="test on this release alone"
    )
    parser.addoption("--examples", action="store_true", help="deploy all examples, as `make examples` does")


def params(item: pytest.Item) -> dict[str, Any]:
    """Return the parameters of a test, by name."""
    return item.callspec.params if hasattr(item, "callspec") else {}


def leave_out(
    config: pytest.Config, items: list[pytest.Item], unwanted: Callable[[pytest.Item], bool]
) -> None:
    """Deselect the unwanted tests."""
    config.hook.pytest_deselected(items=[item for item in items if unwanted(item)])
    items[:] = [item for item in items if not unwanted(item)]


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keep the tests of the release that `--debian` names, and those without a release."""
    if release := config.getoption("debian"):
        leave_out(config, items, lambda item: params(item).get("debian", release) != release)


def pytest_configure() -> None:
    """Make the many short runs of pyinfra fast, and name the session, which workers inherit."""
    pyinfra.PRELOADED = True
    os.environ.setdefault("MAILSTACK_TEST_SESSION", "kept" if KEEP else uuid.uuid4().hex[:8])


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Remove the images that workers shared, in the process that started them."""
    if not KEEP and not hasattr(session.config, "workerinput") and docker_engine.answers():
        for image in images.named(f"{networks.TEST_NAME}-"):
            if image.endswith(f"-{os.environ['MAILSTACK_TEST_SESSION']}"):
                docker("rmi", "--force", image)


@pytest.fixture(scope="session")
def engine() -> None:
    """Ensure a Docker engine that answers. Without one, tests fail: skipped ones would look passed."""
    docker_engine.ensure()
