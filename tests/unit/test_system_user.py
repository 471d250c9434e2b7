"""The ids of the system user vmail, and conflicts with others."""

from __future__ import annotations

import pytest

from mailstack.facts.users import SystemUsers, UsersAndGroups
from mailstack.operations.users import Number, problem

VMAIL = "vmail:x:2000:2001::/var/vmail:/bin/sh\n"
GROUP = "vmail:x:2001:\n"
TAKEN = "bob:x:5000:100::/home/bob:/bin/sh\n"


def there(users: str = "", groups: str = "") -> UsersAndGroups:
    """Return the answer of getent(1) on a host."""
    return SystemUsers.of(("vmail", "5000")).parse(f"{users}\n{groups}")


def said(found: UsersAndGroups, uid: int | None = None, gid: int | None = None) -> str | None:
    """Return the error for these ids on that host."""
    return problem(
        "vmail", Number("mail_vmail_uid", uid, 5000), Number("mail_vmail_gid", gid, 5000), there=found
    )


@pytest.mark.parametrize(
    ("found", "uid", "gid"),
    [
        (there(), None, None),
        (there(), 2000, 2001),
        (there(VMAIL, GROUP), None, None),
        (there(VMAIL, GROUP), 2000, 2001),
        (there(VMAIL), None, None),  # a group of another name
        (there(VMAIL + TAKEN, GROUP), None, None),
    ],
)
def test_numbers_that_it_can_have(found: UsersAndGroups, uid: int | None, gid: int | None) -> None:
    assert said(found, uid, gid) is None


@pytest.mark.parametrize(
    ("found", "uid", "gid", "expected"),
    [
        (
            there(VMAIL, GROUP),
            5000,
            None,
            "mail_vmail_uid = 5000: the user vmail is on this host already, with the number 2000; "
            "allowed: mail_vmail_uid = 2000, or leave it out",
        ),
        (
            there(VMAIL, GROUP),
            2000,
            2000,
            "mail_vmail_gid = 2000: the group vmail is on this host already, with the number 2001; "
            "allowed: mail_vmail_gid = 2001, or leave it out",
        ),
        (
            there(TAKEN),
            None,
            None,
            "mail_vmail_uid = 5000: on this host that is the number of the user bob; "
            "allowed: a number that no user has",
        ),
        (
            there(groups="staff:x:5000:bob\n"),
            2000,
            5000,
            "mail_vmail_gid = 5000: on this host that is the number of the group staff; "
            "allowed: a number that no group has",
        ),
    ],
)
def test_numbers_that_it_can_not_have(
    found: UsersAndGroups, uid: int | None, gid: int | None, expected: str
) -> None:
    assert said(found, uid, gid) == expected
