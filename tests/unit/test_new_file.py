"""A secret in a new file on the machine that runs pyinfra."""

from __future__ import annotations

from pathlib import Path

import pytest
from pyinfra.api.exceptions import OperationValueError

from mailstack.accounts.new_file import NewFile


def test_only_its_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "phone"
    made = NewFile(str(path), "secret")
    assert not path.exists() and "secret" not in repr(made)
    made.write()
    assert path.read_text() == "secret\n"
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "phone"
    made = NewFile(str(path), "secret")
    path.write_text("other")
    with pytest.raises(OperationValueError, match="exists already; if an interrupted run created it"):
        made.write()
    with pytest.raises(OperationValueError, match="exists already"):
        NewFile(str(path), "secret")
    assert path.read_text() == "other"


def test_a_missing_directory(tmp_path: Path) -> None:
    with pytest.raises(OperationValueError, match="is no directory to write in"):
        NewFile(str(tmp_path / "none" / "phone"), "secret")
