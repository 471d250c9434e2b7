"""The homes of users, as Dovecot knows them."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterable, Mapping
from pathlib import Path

from .database import Account
from .restic import FailureError

_USERS, _SECONDS = Path("/run/dovecot/auth-userdb"), 60
"""The socket at which Dovecot looks users up, and how long an answer may take."""
_AT_ONCE = 100
"""Dovecot closes a connection that does not read its answers."""


def homes(root: str) -> dict[str, str]:
    """Return the home of each user; under the empty name, the directory of all mail.

    Raises ``FailureError`` if Dovecot does not say.
    """
    done = subprocess.run(["doveadm", "user", "*"], capture_output=True, text=True, timeout=_SECONDS)
    if done.returncode:
        raise FailureError("Dovecot can't list users: journalctl -u dovecot says why")  # its words name some
    found = _asked(done.stdout.split("\n"))
    return {"": root, **{user: fields["home"] for user, fields in found.items() if "home" in fields}}


def account_of(user: str) -> Account | None:
    """Return the account of a user, as Dovecot has it; ``None`` for one who is disabled, or not there.

    Its driver is empty if Dovecot has one for all users.
    """
    found = _asked([user]).get(user)
    if found is None or "home" not in found:
        return None
    return Account(found["home"], found.get("mail_driver") or found.get("mail", "").partition(":")[0])


def _asked(users: list[str]) -> dict[str, dict[str, str]]:
    """Return what Dovecot knows of each user who is there, by the names of its fields.

    Dovecot is asked by its own protocol: the arguments of doveadm(1) can be read by all users of the host.
    """
    names = [each for each in users if each]
    found: dict[str, dict[str, str]] = {}
    try:
        with socket.socket(socket.AF_UNIX) as dovecot:
            dovecot.settimeout(_SECONDS)
            dovecot.connect(str(_USERS))
            dovecot.sendall(b"VERSION\t1\t0\n")
            with dovecot.makefile(encoding="utf-8", newline="\n") as answers:
                for start in range(0, len(names), _AT_ONCE):
                    batch = dict(enumerate(names[start : start + _AT_ONCE], start))
                    asked = (f"USER\t{number}\t{user}\tservice=doveadm\n" for number, user in batch.items())
                    dovecot.sendall("".join(asked).encode())
                    found |= _answers(answers, batch)
    except OSError as error:
        raise FailureError(f"Dovecot can't look up users: {error}") from None
    return found


def _answers(answers: Iterable[str], asked: Mapping[int, str]) -> dict[str, dict[str, str]]:
    """Read an answer for each user."""
    found, answered = {}, 0
    for line in answers:
        state, *fields = line.rstrip("\n").split("\t")
        if state == "USER":
            pairs = (each.partition("=") for each in fields[2:])
            found[asked[int(fields[0])]] = {name: value for name, _, value in pairs}
        answered += state in ("USER", "NOTFOUND", "FAIL")
        if answered == len(asked):
            return found
    raise OSError("the connection was closed")
