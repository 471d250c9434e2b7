"""A restore that fails, or is cut off, loses nothing; the repository and its restic are made up."""

from __future__ import annotations

from pathlib import Path

import pytest

from mailstack.on_host.backup import given
from mailstack.on_host.backup.restic import FailureError
from tests.unit.test_backup_runs import places, repository

__all__ = ["places"]


@pytest.fixture
def own(places: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the file of the host's own password, beside one that was given."""
    monkeypatch.setattr(given, "GIVEN", places / "password.new")
    monkeypatch.setattr(given, "BEFORE", places / "password.before")
    (places / "password.new").write_text("given")
    own = places / "secrets" / "own"
    own.parent.mkdir()
    own.write_text("the only copy\n")
    return own


def taken(places: Path, monkeypatch: pytest.MonkeyPatch, own: Path, script: str) -> None:
    repository(places, monkeypatch, script)
    given.take({"repository": "/srv/backup", "host": "mail", "password": str(own), "environment": ""})


def test_a_wrong_password_does_not_replace_the_one_of_the_host(
    places: Path, monkeypatch: pytest.MonkeyPatch, own: Path
) -> None:
    with pytest.raises(FailureError, match="the host keeps its own: restic cat: Fatal: wrong password"):
        taken(places, monkeypatch, own, "echo 'Fatal: wrong password or no key found' >&2; exit 1")
    assert own.read_text() == "the only copy\n"
    assert not (places / "password.new").exists() and not (places / "password.before").exists()


def test_a_right_password_replaces_it_and_the_former_one_stays(
    places: Path, monkeypatch: pytest.MonkeyPatch, own: Path
) -> None:
    taken(places, monkeypatch, own, "exit 0")
    assert own.read_text() == "given" and own.stat().st_mode & 0o777 == 0o600
    assert (places / "password.before").read_text() == "the only copy\n"
    taken(places, monkeypatch, own, "exit 1")  # none is given any more
