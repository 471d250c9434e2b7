"""What all tests share: a Docker engine, and one group of tests a Debian release."""

from __future__ import annotations

import pytest

from tests.targets import engine as docker_engine


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """`-n 2 --dist loadgroup` gives each Debian's targets to one worker, which starts them once."""
    for item in items:
        if isinstance(item, pytest.Function) and hasattr(item, "callspec"):
            debian = item.callspec.params.get("debian")
            if debian is not None:
                item.add_marker(pytest.mark.xdist_group(f"debian{debian}"))


@pytest.fixture(scope="session")
def engine() -> None:
    """A Docker engine that answers. Without one, tests fail: skipped tests would look like passed ones."""
    docker_engine.ensure()
