"""System users."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from mailstack.facts.reading import announce, read
from mailstack.facts.users import SystemUsers, UsersAndGroups
from mailstack.operations.stages import Change
from mailstack.shell import script, shell

_SHELL = "/usr/sbin/nologin"


class Number(NamedTuple):
    """A user's or a group's number.

    + setting: the name of the setting that may give it
    + given: the number; ``None`` for the one that the host has
    + default: for a host that has none
    """

    setting: str
    given: int | None
    default: int

    def on(self, there: str | None) -> str:
        """Return the number that is wanted on a host where it is ``there``."""
        return str(self.given or there or self.default)


class SystemUser(NamedTuple):
    """A user and a group of the same name, without a login.

    + name: of both
    + uid, gid: their numbers
    + home: home directory, which is not created

    A number that is there is never changed, as files would be orphaned: ``problem`` says so.
    """

    name: str
    uid: Number
    gid: Number
    home: str

    @property
    def question(self) -> SystemUsers:
        """What must be known of the host."""
        return SystemUsers.of((self.name, self.uid.on(None), self.gid.on(None)))

    def problem(self, there: UsersAndGroups) -> str | None:
        """Return why they can't have their numbers on this host; ``None`` if they can. Pure."""
        return problem(self.name, self.uid, self.gid, there)

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(self.question)

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        there = read(self.question)
        u, g = _numbers(self.name, self.uid, self.gid, there)
        found = there.user(self.name)
        if there.group(self.name) and found and (*found[2:4], *found[5:]) == (u, g, self.home, _SHELL):
            return ()
        title = f"user {self.name}: {'change' if found else 'create'}"
        return (Change(title, shell(script("system_user", self.name, u, g, self.home, _SHELL))),)


def _numbers(user: str, uid: Number, gid: Number, there: UsersAndGroups) -> tuple[str, str]:
    """Return the user's and the group's number, as they should be on this host."""
    old, group = there.user(user), there.group(user)
    return uid.on(old[2] if old else None), gid.on(group[2] if group else None)


def problem(user: str, uid: Number, gid: Number, there: UsersAndGroups) -> str | None:
    """Return why user and group can't have their numbers on this host; ``None`` if they can. Pure."""
    numbers = _numbers(user, uid, gid, there)
    for kind, wanted, number, named, other in (
        ("user", uid, numbers[0], there.user(user), there.user(numbers[0])),
        ("group", gid, numbers[1], there.group(user), there.group(numbers[1])),
    ):
        if named is not None and named[2] != number:
            return (
                f"{wanted.setting} = {number}: the {kind} {user} is on this host already, with the number "
                f"{named[2]}; allowed: {wanted.setting} = {named[2]}, or leave it out"
            )
        if named is None and other is not None:
            return (
                f"{wanted.setting} = {number}: on this host that is the number of the {kind} {other[0]}; "
                f"allowed: a number that no {kind} has"
            )
    return None
