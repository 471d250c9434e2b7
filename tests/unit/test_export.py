"""Where root may write the archive of a user."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mailstack.on_host import export_mail as program


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a directory of the one who runs the test, who stands for root."""
    monkeypatch.setattr(program, "OWNERS", {0, os.getuid()})
    made = tmp_path / "archives"
    made.mkdir(mode=0o755)
    return made


def test_a_directory_of_root_alone(place: Path) -> None:
    program.check_place(place / "alice.tar.gz")
    place.chmod(0o1777)  # as /tmp: nobody can replace the files of another user there
    program.check_place(place / "alice.tar.gz")


@pytest.mark.parametrize("mode", [0o775, 0o757])
def test_a_directory_that_others_can_write(place: Path, mode: int) -> None:
    place.chmod(mode)
    (place / "own").mkdir()
    for archive in (place / "alice.tar.gz", place / "own/alice.tar.gz"):
        with pytest.raises(program.Problem, match=f"{place}: other users can change what is there"):
            program.check_place(archive)


def test_a_directory_of_another_user(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program, "OWNERS", {0, os.getuid()} - {place.stat().st_uid})
    with pytest.raises(program.Problem, match="other users can change"):
        program.check_place(place / "alice.tar.gz")


def test_a_link_in_such_a_directory(place: Path, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open").chmod(0o777)
    (tmp_path / "open/link").symlink_to(place)
    (tmp_path / "link").symlink_to(tmp_path / "open")
    for archive in (tmp_path / "open/link/a.tar.gz", tmp_path / "link/a.tar.gz"):
        with pytest.raises(program.Problem, match="other users can change"):
            program.check_place(archive)
