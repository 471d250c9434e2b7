"""The directories of users' mail, and which of them may be deleted. Pure."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping
from typing import Any

from mailstack.accounts.plan import PlanError
from mailstack.accounts.rows import FORMER, Change, Key, Rows
from mailstack.shell import script


def home_of(row: Mapping[str, Any], root: str) -> str:
    """Return the directory of a user's mail, without ``..``.

    It is the stored one, or ``root/DOMAIN/LOCAL-PART`` before the first run.

    + row: a row of ``mail_users``
    """
    local, _, domain = str(row["email"]).lower().rpartition("@")
    below = row.get("mail_directory") or f"{domain}/{local}"
    return posixpath.normpath(row.get("home_directory") or f"{root}/{below}")


def former_key(row: Mapping[str, Any]) -> Key:
    """Return the key in ``mail_former_users`` of a user once it is removed.

    + row: a row of ``mail_users``
    """
    return str(row["email"]), str(row.get("home_directory") or row.get("mail_directory"))


def with_mail_named(
    changes: Iterable[Change], current: Mapping[str, Rows], root: str, delete_mail: bool
) -> list[Change]:
    """Return the changes with notes on removed users' mail: its directory, and that new users don't get it.

    + current: the rows of each table
    + root: the directory of all mail
    + delete_mail: whether the mail of removed users is deleted
    """
    former = sorted(
        (address, posixpath.normpath(posixpath.join(root, below))) for address, below in current[FORMER]
    )

    def named(change: Change) -> Change:
        if change.table != "mail_users":
            return change
        if change.sign == "-" and not delete_mail:
            home = home_of(current["mail_users"][change.key], root)
            return change._replace(note=f"the mail stays in {home}")
        if change.sign != "+":
            return change
        given = change.values.get("home_directory")
        own = given and posixpath.normpath(given)
        notes = [f"takes over what {address} left in {own}" for address, home in former if home == own]
        left = [home for address, home in former if address == change.key[0] and home != own]
        if left:
            notes.append(f"gets nothing of the former user's mail in {', '.join(left)}")
        return change._replace(note=", ".join(filter(None, [change.note, *notes])))

    return [named(change) for change in changes]


def deletable_homes(
    removed: Iterable[Key], users: Rows, root: str, argument: str = "delete_mail"
) -> list[str]:
    """Return the directories with the mail of removed users.

    + removed: the keys of these users
    + users: all existing users
    + root: the directory of all mail
    + argument: the argument that asks for it, for messages

    Raises ``PlanError`` if one of them is not below ``root``, or has the mail of a remaining user.
    """
    root, removed = posixpath.normpath(root), set(removed)
    homes = {key: home_of(row, root) for key, row in users.items()}
    for key in sorted(removed):
        if not homes[key].startswith(f"{root}/"):
            raise PlanError(f"{argument}: {homes[key]} of {key[0]} is not below {root}")
        for other in sorted(homes.keys() - removed):
            if f"{homes[other]}/".startswith(f"{homes[key]}/"):
                raise PlanError(f"{argument}: {homes[key]} of {key[0]} has the mail of {other[0]} too")
    return sorted({homes[key] for key in removed})


def deleting(homes: Iterable[str]) -> str:
    """Return the shell script that deletes these directories on their host."""
    return f"{script('enter')}\n{script('delete_homes', *homes)}"
