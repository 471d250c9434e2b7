"""System users."""

from __future__ import annotations

import shlex
from collections.abc import Generator

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from mailstack.facts.reading import Probe, announce, read


def system_user(user: str, uid: int, gid: int, home: str) -> None:
    """Make a user and a group of the same name, without a login.

    + user: name of both
    + uid, gid: their numbers, which must be free or theirs already
    + home: home directory, which is not created

    A user who has another number is left as is, and the run fails: changing it would orphan files.
    """
    announce(_probe(user))
    _system_user(user=user, uid=uid, gid=gid, home=home, name=f"Make the user {user}")


def _probe(user: str) -> Probe[str]:
    """``UID:GID:HOME:SHELL``, or nothing."""
    quoted = shlex.quote(user)
    return Probe(
        name=f"user {user}",
        command=f"getent passwd {quoted} | cut -d: -f3,4,6,7; getent group {quoted} | cut -d: -f3; true",
        parse=lambda output: output.strip(),
    )


@operation()
def _system_user(user: str, uid: int, gid: int, home: str) -> Generator[StringCommand]:
    shell = "/usr/sbin/nologin"
    found = read(_probe(user))
    if found == f"{uid}:{gid}:{home}:{shell}\n{gid}":
        host.noop(f"{user} is as it should be")
        return
    name, place = shlex.quote(user), shlex.quote(home)
    host.log(f"user {user}: {'change' if found else 'create'}")
    yield StringCommand(
        f"getent group {name} >/dev/null || groupadd --system -g {gid} {name}; "
        f"if getent passwd {name} >/dev/null; then usermod -g {gid} -d {place} -s {shell} {name}; "
        f"else useradd --system -u {uid} -g {gid} -d {place} -M -s {shell} {name}; fi && "
        f'[ "$(id -u {name}):$(id -g {name})" = {uid}:{gid} ] || '
        f"{{ echo '{user} exists with another number than {uid}:{gid}' >&2; exit 1; }}"
    )
