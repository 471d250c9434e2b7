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


def test_a_link_on_the_way_in_such_a_directory(place: Path, tmp_path: Path) -> None:
    (tmp_path / "open").mkdir()
    (tmp_path / "open/second").symlink_to("../archives")
    (tmp_path / "first").symlink_to("open/second")
    program.check_place(tmp_path / "first/a.tar.gz")
    (tmp_path / "open").chmod(0o777)
    with pytest.raises(program.Problem, match=f"{tmp_path}/open: other users can change what is there"):
        program.check_place(tmp_path / "first/a.tar.gz")


def test_a_link_of_another_user(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a directory such as /tmp, others can't replace a link, but its owner can."""
    link = tmp_path / "link"
    link.symlink_to(place)
    real = Path.lstat

    def owned(path: Path) -> os.stat_result:
        state = real(path)
        return os.stat_result((*state[:4], 4242, *state[5:])) if path == link else state

    program.check_place(link / "a.tar.gz")
    monkeypatch.setattr(Path, "lstat", owned)
    with pytest.raises(program.Problem, match=f"{link}: other users can change what is there"):
        program.check_place(link / "a.tar.gz")


def test_links_in_a_circle(place: Path) -> None:
    (place / "one").symlink_to("two")
    (place / "two").symlink_to("one")
    with pytest.raises(OSError, match="symbolic links"):
        program.check_place(place / "one/a.tar.gz")
