"""The homes of users, as Dovecot knows them."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

from .restic import FailureError

_USERS, _SECONDS = Path("/run/dovecot/auth-userdb"), 60
"""The socket at which Dovecot looks users up, and how long an answer may take."""


def homes(root: str) -> dict[str, str]:
    """Return the home of each user; under the empty name, the directory of all mail.

    Raises ``FailureError`` if Dovecot does not say.
    """
    done = subprocess.run(["doveadm", "user", "*"], capture_output=True, text=True, timeout=_SECONDS)
    if done.returncode:
        raise FailureError("Dovecot can't list users: journalctl -u dovecot says why")  # its words name some
    return {"": root, **_asked(done.stdout.split("\n"))}


def home_of(user: str) -> str:
    """Return the home of a user. Raises ``FailureError`` if there is no such user."""
    found = _asked([user]).get(user)
    if found is None:
        raise FailureError(f"there is no user {user}: mailstack.accounts.user creates it, with any password")
    return found


def _asked(users: list[str]) -> dict[str, str]:
    """Return the home of each user who is there.

    Dovecot is asked by its own protocol: the arguments of doveadm(1) can be read by all users of the host.
    """
    names, found, answered = [each for each in users if each], {}, 0
    try:
        with socket.socket(socket.AF_UNIX) as dovecot:
            dovecot.settimeout(_SECONDS)
            dovecot.connect(str(_USERS))
            asked = (f"USER\t{number}\t{user}\tservice=doveadm\n" for number, user in enumerate(names))
            dovecot.sendall("".join(("VERSION\t1\t0\n", *asked)).encode())
            with dovecot.makefile(encoding="utf-8", newline="\n") as answers:
                while answered < len(names):
                    state, *fields = answers.readline().rstrip("\n").split("\t")
                    if not state:
                        break
                    if state in ("USER", "NOTFOUND", "FAIL"):
                        answered += 1
                        home = [each.removeprefix("home=") for each in fields if each.startswith("home=")]
                        found.update({names[int(fields[0])]: each for each in home})
    except OSError as error:
        raise FailureError(f"Dovecot can't look up users: {error}") from None
    return found
