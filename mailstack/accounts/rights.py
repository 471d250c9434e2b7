"""Revoke rights (RFC 4314) that users granted to addresses of removed or renamed users. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from posixpath import normpath

from mailstack.accounts.mail import home_of
from mailstack.accounts.rows import ADDRESSES, Change, Rows

BECOME = 'setpriv --reuid=vmail --regid="$(id -g vmail)" --init-groups --'
"""The prefix that runs a command as ``vmail``, the owner of all mail."""


def former_addresses(current: Mapping[str, Rows], changes: Iterable[Change]) -> list[str]:
    """Return the addresses that users had before, or will have had after the changes.

    + current: the rows of each table
    """
    former = {
        change.key[0].lower()
        for change in changes
        if change.table == "mail_users"
        and (change.sign == "-" or change.values.get("email", change.key[0]).lower() != change.key[0].lower())
    }
    return sorted(former | {address for (address,) in current[ADDRESSES]})


def mail_places(users: Rows, root: str) -> list[str]:
    """Return the directories with the mail of all users: ``root``, and home directories outside it."""
    root = normpath(root)
    homes = {home_of(row, root) for row in users.values()}
    return [root, *sorted(home for home in homes if not home.startswith(f"{root}/"))]


def revoke(addresses: Iterable[str], places: Iterable[str]) -> str:
    """Return the shell script that revokes all rights of these addresses.

    Dovecot keeps rights in files ``dovecot-acl``, in lines such as ``user=alice@example.org lrs``, and reads
    these files again when they change.

    + places: the directories with such files
    """
    lines = "\n".join(rf'/^-\?"\?user={_escaped(address)}"\? /d' for address in addresses)
    find = f"find {shlex.join(places)} -type f -name dovecot-acl -print0 2>/dev/null"
    return f"cd / && {find} | {BECOME} xargs -0r sed -i {shlex.quote(lines)}"


def _escaped(address: str) -> str:
    return re.sub(r"([.*\[\]^$\\/])", r"\\\1", address)
