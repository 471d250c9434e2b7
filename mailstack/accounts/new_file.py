"""A secret that goes into a file on the machine that runs pyinfra, and nowhere else."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from pyinfra.api.exceptions import OperationValueError


@dataclass(frozen=True)
class NewFile:
    """A file that only its owner can read, once it is written.

    + path: where; it must not be there yet
    + text: its only line

    Raises ``OperationValueError`` for a place where it can't be made.
    """

    path: str
    text: str = field(repr=False)

    def __post_init__(self) -> None:
        if self._place.exists():
            raise OperationValueError(self._there)
        if not os.access(self._place.parent, os.W_OK):
            raise OperationValueError(f"password_to: {self._place.parent} is no directory to write in")

    def write(self) -> None:
        """Make it; ``OperationValueError`` if somebody else was quicker."""
        try:
            made = os.open(self._place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise OperationValueError(self._there) from None
        with os.fdopen(made, "w", encoding="utf-8") as file:
            file.write(self.text + "\n")

    @property
    def _place(self) -> Path:
        return Path(self.path).expanduser()

    @property
    def _there(self) -> str:
        return (
            f"password_to: {self._place} is there already; if a run that ended early made it, its password is"
            " good nowhere: remove it"
        )
