"""A secret that is written only to a file on the machine that runs pyinfra."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from pyinfra.api.exceptions import OperationValueError


@dataclass(frozen=True)
class NewFile:
    """A new file that only its owner can read.

    + path: its path; it must not exist yet
    + text: its only line

    Raises ``OperationValueError`` if it can't be created at that path.
    """

    path: str
    text: str = field(repr=False)

    def __post_init__(self) -> None:
        if self._place.exists():
            raise OperationValueError(self._there)
        if not os.access(self._place.parent, os.W_OK):
            raise OperationValueError(f"password_to: {self._place.parent} is no directory to write in")

    def write(self) -> None:
        """Create the file. Raises ``OperationValueError`` if it exists by now."""
        try:
            descriptor = os.open(self._place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            raise OperationValueError(self._there) from None
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(self.text + "\n")

    @property
    def _place(self) -> Path:
        return Path(self.path).expanduser()

    @property
    def _there(self) -> str:
        return (
            f"password_to: {self._place} exists already; if an interrupted run created it, its password is "
            f"not in use: remove it"
        )
