"""The progress of a run, for the command that waits for it, and its result for ``mailstack.status``."""

from __future__ import annotations

import contextlib
import fcntl
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .restic import FailureError

RUN = Path("/run/mailstack-backup")
PROGRESS = RUN / "progress.json"
RESULTS = Path("/var/lib/mailstack")
_PAUSE = 0.5


class Progress:
    """The step that a run is at."""

    def __init__(self) -> None:
        self._step, self._last = "", 0.0
        RUN.mkdir(mode=0o700, exist_ok=True)

    def step(self, text: str) -> None:
        """Begin a step."""
        self._step, self._last = text, 0.0
        self.share(0, "")

    def share(self, share: float, text: str) -> None:
        """Note which share of the step is done, but not too often."""
        if time.monotonic() - self._last < _PAUSE:
            return
        self._last = time.monotonic()
        write(PROGRESS, {"step": self._step, "percent": int(share * 100), "text": text})


def write(path: Path, value: dict[str, Any]) -> None:
    """Replace a file for root alone."""
    new = path.with_name(f".{path.name}.new")
    new.touch(mode=0o600)
    new.write_text(json.dumps(value) + "\n", "utf-8")
    new.replace(path)


def begin(name: str) -> None:
    """Note that a result of this name from before is one of another run: follow_state.sh looks at it."""
    RUN.mkdir(mode=0o700, exist_ok=True)
    (RUN / f"{name}.begun").touch()


def kept(name: str) -> dict[str, Any]:
    """Return the last result of this name."""
    with contextlib.suppress(FileNotFoundError, ValueError):
        found = json.loads((RESULTS / f"{name}.json").read_text("utf-8"))
        if isinstance(found, dict):
            return found
    return {}


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Refuse a second run on this host, and wait while ``mailstack.accounts.convert`` has locked a mailbox.

    Raises ``FailureError``.
    """
    RUN.mkdir(mode=0o700, exist_ok=True)
    with (RUN / "lock").open("w") as lock, (RUN / "mail").open("w") as mail:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise FailureError("another backup, check or restore of this host is running") from None
        fcntl.flock(mail, fcntl.LOCK_EX)
        yield
