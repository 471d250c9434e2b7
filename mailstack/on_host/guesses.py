#!/usr/bin/python3 -IS
"""Count guessed passwords for fail2ban, and say which guess is one too many.

guesses count LIMIT GOOD ADDRESS USER HASH    a login in the journal: good if GOOD is not empty
guesses forget ADDRESS                        a ban has ended: nothing about its address is kept

It fails with 3 at a guess too many, and otherwise never with 3. A guess is a pair of user and password, of
which HASH tells two apart: a program that tries the same for ever has made one guess. Guesses count for a
day. An address with a good login in the last week has ten times as many: more than a household makes, and too
few for somebody who has one account and wants the others. Those that led to a ban are put aside for the list
of bans, and count no more.

An IPv6 address stands for its /64, of which a customer has all addresses.
"""

from __future__ import annotations

import os
import sys
import time
from ipaddress import IPv6Address, ip_address
from pathlib import Path

STATE = "/var/lib/fail2ban/mailstack"
DAY = 24 * 3600
SPARED = 10
TOO_MANY = 3


def key(text: str) -> str:
    """Return the name under which an address is counted: the address, or the first of its /64."""
    address = ip_address(text)
    if isinstance(address, IPv6Address):
        return str(address.ipv4_mapped or IPv6Address(int(address) >> 64 << 64))
    return str(address)


def count(limit: int, good: str, address: str, user: str, hashed: str, state: Path = Path(STATE)) -> int:
    """Note a login. Return `TOO_MANY` for a guess that is one too many, else 0."""
    now, name = time.time(), key(address)
    if good:
        _write(state / "good" / name, [])
        return 0
    file = state / "guesses" / name
    counted = {guess: at for at, guess in _read(file) if at > now - DAY}
    guess = f"{hashed}\t{user}"
    if guess in counted:
        return 0
    counted[guess] = now
    spared = _is_good(state / "good" / name, now)
    too_many = len(counted) >= limit * (SPARED if spared else 1)
    _write(
        state / "banned" / name if too_many else file, [f"{at:.0f}\t{each}\n" for each, at in counted.items()]
    )
    if too_many:
        file.unlink(missing_ok=True)
    return TOO_MANY if too_many else 0


def forget(address: str, state: Path = Path(STATE)) -> None:
    """Forget the guesses of an address."""
    for kind in ("guesses", "banned"):
        (state / kind / key(address)).unlink(missing_ok=True)


def _is_good(file: Path, now: float) -> bool:
    try:
        return file.stat().st_mtime > now - 7 * DAY
    except FileNotFoundError:
        return False


def _read(file: Path) -> list[tuple[float, str]]:
    try:
        lines = file.read_text("utf-8", "replace").split("\n")
    except FileNotFoundError:
        return []
    parts = (line.partition("\t") for line in lines)
    return [(float(at), guess) for at, _, guess in parts if at.isdecimal()]


def _write(file: Path, lines: list[str]) -> None:
    """Replace a file as a whole, so that none is ever half written."""
    os.umask(0o077)
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_name(f"{file.name}.new")
    new.write_text("".join(lines), "utf-8", "replace")
    new.replace(file)


def main(arguments: list[str]) -> int:
    """Do what the first argument says."""
    if len(arguments) == 6 and arguments[0] == "count":
        limit, good, address, user, hashed = arguments[1:]
        return count(int(limit), good, address, user, hashed)
    if len(arguments) == 2 and arguments[0] == "forget":
        forget(arguments[1])
        return 0
    print((__doc__ or "").split("\n\n")[1], file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
