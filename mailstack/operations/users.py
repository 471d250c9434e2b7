"""System users."""

from __future__ import annotations

from collections.abc import Generator
from typing import NamedTuple

from pyinfra.api.command import StringCommand
from pyinfra.context import host

from mailstack.facts.reading import read, require
from mailstack.facts.users import SystemUsers, UsersAndGroups
from mailstack.operation import operation
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


def system_user(user: str, uid: Number, gid: Number, home: str) -> None:
    """Make a user and a group of the same name, without a login.

    + user: name of both
    + uid, gid: their numbers
    + home: home directory, which is not created

    A number that is there is never changed, as files would be orphaned. If it is another than the one given,
    or the number is somebody else's, the run stops before it changes anything on the host.
    """
    require(_probe(user, uid, gid), lambda there: problem(user, uid, gid, there))
    _system_user(user=user, uid=uid, gid=gid, home=home, name=f"Make the user {user}")


def _probe(user: str, uid: Number, gid: Number) -> SystemUsers:
    return SystemUsers.of((user, uid.on(None), gid.on(None)))


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


@operation
def _system_user(user: str, uid: Number, gid: Number, home: str) -> Generator[StringCommand]:
    there = read(_probe(user, uid, gid))
    u, g = _numbers(user, uid, gid, there)
    found = there.user(user)
    if there.group(user) and found and (*found[2:4], *found[5:]) == (u, g, home, _SHELL):
        host.noop(f"{user} is as it should be")
        return
    host.log(f"user {user}: {'change' if found else 'create'}")
    yield shell(script("system_user", user, u, g, home, _SHELL))
