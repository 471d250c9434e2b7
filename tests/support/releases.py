"""Marks for a test that needs one release of Debian only: `@on_debian_13`.

A test without one runs on both. A comment at the mark says why one is enough.
"""

from __future__ import annotations

import pytest

on_debian_12, on_debian_13 = (
    pytest.mark.parametrize("debian", [release], ids=[f"debian{release}"], indirect=True)
    for release in (12, 13)
)
