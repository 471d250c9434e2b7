"""System users."""

from __future__ import annotations

import shlex
from collections.abc import Generator, Sequence

from pyinfra.api.command import StringCommand
from pyinfra.api.operation import operation
from pyinfra.context import host

from mailstack.facts.reading import Probe, announce, read
from mailstack.shell import shell


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
    """The user's line in passwd(5) without the comment, and the group's number; or less."""

    def parse(output: str) -> str:
        lines = [line.split(":") for line in output.splitlines() if line.startswith(f"{user}:")]
        return "\n".join(":".join(parts[2:4] + parts[5:]) if len(parts) == 7 else parts[2] for parts in lines)

    return Probe(_entries_of, (user,), parse)


def _entries_of(users: Sequence[str]) -> str:
    return f"getent passwd {shlex.join(users)}; getent group {shlex.join(users)}"


@operation()
def _system_user(user: str, uid: int, gid: int, home: str) -> Generator[StringCommand]:
    nologin = "/usr/sbin/nologin"
    found = read(_probe(user))
    if found == f"{uid}:{gid}:{home}:{nologin}\n{gid}":
        host.noop(f"{user} is as it should be")
        return
    name, place = shlex.quote(user), shlex.quote(home)
    host.log(f"user {user}: {'change' if found else 'create'}")
    yield shell(
        f"getent group {name} >/dev/null || groupadd --system -g {gid} {name}; "
        f"if getent passwd {name} >/dev/null; then usermod -g {gid} -d {place} -s {nologin} {name}; "
        f"else useradd --system -u {uid} -g {gid} -d {place} -M -s {nologin} {name}; fi && "
        f'[ "$(id -u {name}):$(id -g {name})" = {uid}:{gid} ] || '
        f"{{ echo '{user} exists with another number than {uid}:{gid}' >&2; exit 1; }}"
    )
