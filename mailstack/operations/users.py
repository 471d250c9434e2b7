"""System users."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import NamedTuple

from mailstack.facts.reading import announce, read
from mailstack.facts.users import SystemUsers, UsersAndGroups
from mailstack.operations.stages import Change
from mailstack.shell import script, shell

_SHELL = "/usr/sbin/nologin"


class Number(NamedTuple):
    """The numeric id of a system user or group.

    + setting: the name of its setting
    + given: the id; ``None`` for the existing one
    + default: the id on a host without that user or group
    """

    setting: str
    given: int | None
    default: int

    def on(self, there: str | None) -> str:
        """Return the wanted id on a host with the existing id ``there``."""
        return str(self.given or there or self.default)


class SystemUser(NamedTuple):
    """A system user and a group of the same name, without a login.

    + name: the name of both
    + uid, gid: their ids
    + home: the home directory, which is not created

    An existing id is never changed, as files would lose their owner: ``problem`` returns the error.
    """

    name: str
    uid: Number
    gid: Number
    home: str

    @property
    def question(self) -> SystemUsers:
        """The question to the host."""
        return SystemUsers.of((self.name, self.uid.on(None), self.gid.on(None)))

    def problem(self, there: UsersAndGroups) -> str | None:
        """Return an error if they can't have these ids on this host, or ``None``. Pure."""
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
        make = script("system_user", self.name, u, g, self.home, _SHELL)
        return (Change([title], shell("\n".join([script("brought"), make]))),)


class DaemonUser(NamedTuple):
    """A system user and a group of the same name, for one daemon, with any number and no home directory."""

    name: str

    def announce(self) -> None:
        """See ``Created.announce``."""
        announce(SystemUsers.of((self.name,)))

    def changes(self) -> Sequence[Change]:
        """See ``Created.changes``."""
        if read(SystemUsers.of((self.name,))).user(self.name):
            return ()
        name = shlex.quote(self.name)
        create = f"bring user {name} && useradd --system --user-group -M -d /nonexistent -s {_SHELL} {name}"
        return (Change([f"user {self.name}: create"], shell("\n".join([script("brought"), create]))),)


def _numbers(user: str, uid: Number, gid: Number, there: UsersAndGroups) -> tuple[str, str]:
    """Return the wanted ids of user and group on this host."""
    old, group = there.user(user), there.group(user)
    return uid.on(old[2] if old else None), gid.on(group[2] if group else None)


def problem(user: str, uid: Number, gid: Number, there: UsersAndGroups) -> str | None:
    """Return an error if user and group can't have these ids on this host, or ``None``. Pure."""
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
