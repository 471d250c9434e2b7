"""The pictures of the docs that tests make: `MAILSTACK_PICTURES=docs/pictures` keeps them there."""

from __future__ import annotations

import os
from pathlib import Path


def place(name: str, folder: Path) -> Path:
    """Return the path of a picture: in the folder of the docs, or in one of the test, which is dropped."""
    return Path(os.environ.get("MAILSTACK_PICTURES", folder)) / name
