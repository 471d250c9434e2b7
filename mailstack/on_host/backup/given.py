"""A password of the repository that a person gives for a restore."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .restic import FailureError, Repository
from .run import PLACE

GIVEN, BEFORE = PLACE / "password.new", PLACE / "password.before"
_WITHIN = 180


def take(configuration: Mapping[str, Any]) -> None:
    """Let a given password take the place of the host's own, once it opens the repository.

    The host may have the only copy of its own, so that one is kept beside. Raises ``FailureError`` if the
    given one opens nothing.
    """
    if not GIVEN.exists():
        return
    try:
        tried = Repository({**configuration, "password": str(GIVEN)})
        tried.say("cat", "config", "--no-lock", within=_WITHIN)
        place = Path(configuration["password"])
        if place.exists() and place.read_bytes().strip() != GIVEN.read_bytes().strip():
            shutil.copy2(place, BEFORE)
        place.parent.mkdir(parents=True, exist_ok=True)
        new = place.with_name(f".{place.name}.new")
        new.touch(mode=0o600)
        new.write_bytes(GIVEN.read_bytes())
        new.replace(place)
    except FailureError as failure:
        raise FailureError(
            f"the given password was not taken, and the host keeps its own: {failure}"
        ) from None
    finally:
        GIVEN.unlink(missing_ok=True)
