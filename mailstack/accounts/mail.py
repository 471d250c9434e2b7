"""Where the mail of users lies, and what of it may be deleted. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

from mailstack.accounts.plan import PlanError
from mailstack.accounts.rows import Key, Rows


def home_of(row: Mapping[str, Any], root: str) -> str:
    """Where a user's mail lies, without ``..``: as stored, or ``root/DOMAIN/LOCAL-PART``."""
    local, _, domain = str(row["email"]).lower().rpartition("@")
    return posixpath.normpath(row.get("home_directory") or f"{root}/{domain}/{local}")


def deletable_homes(gone: Iterable[Key], users: Rows, root: str) -> list[str]:
    """The directories with the mail of users that go.

    + gone: their keys
    + users: all users that there are
    + root: the directory that all mail is below

    Raises ``PlanError`` if one of them is not below ``root``, or has the mail of a user who stays.
    """
    root, gone = posixpath.normpath(root), set(gone)
    homes = {key: home_of(row, root) for key, row in users.items()}
    for key in sorted(gone):
        if not homes[key].startswith(f"{root}/"):
            raise PlanError(f"delete_mail: {homes[key]} of {key[0]} is not below {root}")
        for other in sorted(homes.keys() - gone):
            if f"{homes[other]}/".startswith(f"{homes[key]}/"):
                raise PlanError(f"delete_mail: {homes[key]} of {key[0]} has the mail of {other[0]} too")
    return sorted({homes[key] for key in gone})
