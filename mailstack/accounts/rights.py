"""Rights that users granted to addresses which are no longer those accounts' (RFC 4314). Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from posixpath import normpath

from mailstack.accounts.mail import home_of
from mailstack.accounts.rows import ADDRESSES, Change, Rows

BECOME = 'setpriv --reuid=vmail --regid="$(id -g vmail)" --init-groups --'
"""Runs a command as the user that mail belongs to."""


def former_addresses(current: Mapping[str, Rows], changes: Iterable[Change]) -> list[str]:
    """Return the addresses that accounts had, or will have had after the changes.

    + current: the rows of each table
    """
    gone = {
        change.key[0].lower()
        for change in changes
        if change.table == "mail_users"
        and (change.sign == "-" or change.values.get("email", change.key[0]).lower() != change.key[0].lower())
    }
    return sorted(gone | {address for (address,) in current[ADDRESSES]})


def mail_places(users: Rows, root: str) -> list[str]:
    """Return the directories with the mail of all users: ``root``, and homes elsewhere."""
    root = normpath(root)
    homes = {home_of(row, root) for row in users.values()}
    return [root, *sorted(home for home in homes if not home.startswith(f"{root}/"))]


def revoke(addresses: Iterable[str], places: Iterable[str]) -> str:
    """Return the shell script that takes every right from these addresses.

    Dovecot has them in files ``dovecot-acl``, in lines such as ``user=alice@example.org lrs``, and reads
    them again when they change.

    + places: directories below which such files lie
    """
    lines = "\n".join(rf'/^-\?"\?user={_escaped(address)}"\? /d' for address in addresses)
    find = f"find {shlex.join(places)} -type f -name dovecot-acl -print0 2>/dev/null"
    return f"cd / && {find} | {BECOME} xargs -0r sed -i {shlex.quote(lines)}"


def _escaped(address: str) -> str:
    return re.sub(r"([.*\[\]^$\\/])", r"\\\1", address)
