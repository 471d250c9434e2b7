"""Python does no useless work: it is counted, as times would depend on the machine."""

import gc
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
from pyinfra.context import ctx_state

from mailstack import interpreter


@pytest.fixture
def deploy_file(tmp_path: Path) -> Iterator[Path]:
    """Yield a file that pyinfra is executing."""
    known, path = set(sys.modules), tmp_path / "deploy.py"
    path.write_text("import sys\nframe = sys._getframe()\n")
    interpreter._keep_imports.cache_clear()
    with ctx_state.use(SimpleNamespace(current_exec_filename=str(path))):
        yield path
    gc.unfreeze()
    for name in {*sys.modules} - known:
        del sys.modules[name]


def frame_of(path: Path) -> FrameType:
    """Return its frame when it runs as pyinfra runs it."""
    names: dict[str, Any] = {}
    exec(compile(path.read_text(), path, "exec"), names)
    frame: FrameType = names["frame"]
    return frame


def test_inspect_finds_the_deploy_file_at_once(deploy_file: Path) -> None:
    assert inspect.getmodule(frame_of(deploy_file)) is None

    interpreter.spare_work()

    module = inspect.getmodule(frame_of(deploy_file))
    assert module is not None
    assert module.__file__ == str(deploy_file)


def test_imported_modules_are_no_longer_searched(deploy_file: Path) -> None:
    looked_through = len(gc.get_objects())

    interpreter.spare_work()

    assert len(gc.get_objects()) < looked_through / 10


def test_the_next_host_freezes_nothing_more(deploy_file: Path) -> None:
    interpreter.spare_work()
    of_a_host: list[list[object]] = [[] for _ in range(1000)]

    interpreter.spare_work()

    assert {id(each) for each in of_a_host} <= {id(each) for each in gc.get_objects()}
