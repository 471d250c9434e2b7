"""The commands ``mailstack.ban.list``, ``add`` and ``remove``."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING, Protocol, Unpack, cast

from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack import hosts
from mailstack.accounts.arguments import arguments_checked
from mailstack.ban.printed import as_json, as_text
from mailstack.components.fail2ban import TABLE, spared
from mailstack.facts.addresses import HOST_ADDRESSES
from mailstack.facts.bans import Ban, Bans, GuessedUsers, network
from mailstack.facts.platform import PLATFORM
from mailstack.facts.reading import read
from mailstack.operation import naming_the_host, only_looks, operation, refused_by
from mailstack.operations.sql import deployed_with
from mailstack.run import answer, leave_out
from mailstack.settings import Settings
from mailstack.shell import script, shell

if TYPE_CHECKING:
    from pyinfra.api.command import PyinfraCommand
    from pyinfra.api.operation import OperationMeta

    from mailstack.deploys import GlobalArguments

FORMATS = {"table": as_text, "json": as_json}
_DOES_NOT_RUN = (
    "fail2ban does not watch the mail server here: systemctl status fail2ban, or deploy with mail_fail2ban"
)


class _Change(Protocol):
    """An operation about an address. pyinfra's own type of an operation takes no argument by position."""

    def __call__(self, address: str, **global_arguments: Unpack[GlobalArguments]) -> OperationMeta:
        """See the operation."""


def _network(address: str) -> str:
    """Return what a ban is a ban of. Raises ``OperationValueError`` for anything but that."""
    text = str(address)
    try:
        given = ipaddress.ip_network(text)
    except ValueError:
        given = None
    if given is None or given.prefixlen not in ((32,) if given.version == 4 else (64, 128)):
        raise OperationValueError(
            f"address = {text!r}: allowed: an IP address such as 192.0.2.7 or 2001:db8::7, or a /64 of IPv6"
        )
    return network(str(given.network_address))


def _change(function: Callable[[str], Generator[PyinfraCommand]]) -> _Change:
    return refused_by(_network)(cast("_Change", operation(function)))


@arguments_checked("mailstack.ban", "Bans")
@only_looks
def list(  # the command's name; this module has no other use of the builtin
    *, format: str = "table", **pyinfras: Unpack[GlobalArguments]
) -> None:
    """Print the addresses that are shut out, since when, and whose passwords they guessed.

    + format: ``table`` or ``json``

    Raises ``OperationValueError`` for another format; fails if fail2ban does not watch the mail server.

    **Example:**

    .. code:: shell

        pyinfra -y INVENTORY mailstack.ban.list
    """
    if format not in FORMATS:
        raise OperationValueError(f"format = {format!r}: allowed: {', '.join(FORMATS)}")
    if not _is_here():
        return
    with naming_the_host():
        found = read(GuessedUsers.of())
    if found is None:
        leave_out(_DOES_NOT_RUN)
    answer(FORMATS[format](host.name, found))


@_change
def add(address: str) -> Generator[PyinfraCommand]:
    """Shut out an address; of IPv6 its /64.

    + address: the IP address, or a network of /64

    Raises ``OperationValueError`` for something else, and for an address that is never shut out. Fails if
    nftables does not have it then.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.ban.add 192.0.2.7
    """
    banned = _network(address)
    if not _is_here():
        return
    _check_not_spared(banned)
    bans = _bans(banned)
    if any(ban.in_force for ban in bans):
        host.noop(f"{banned} is shut out already")
        return
    act = f"fail2ban-client set mailstack banip {banned.partition('/')[0]} >/dev/null"
    if bans:  # somebody has flushed the rules, and to fail2ban it is banned already
        act = "systemctl restart fail2ban"
    family = "ipv6" if "/" in banned else "ipv4"
    yield shell(script("ban", TABLE, family, banned, act))


@_change
def remove(address: str) -> Generator[PyinfraCommand]:
    """Let an address in again, and forget its guesses.

    + address: the IP address, or a network of /64

    Raises ``OperationValueError`` for something else.

    **Example:**

    .. code:: shell

        pyinfra INVENTORY mailstack.ban.remove 192.0.2.7
    """
    banned = _network(address)
    if not _is_here():
        return
    bans = _bans(banned)
    if not bans:
        host.noop(f"{banned} is not shut out")
        return
    ids = " ".join(ban.id for ban in bans)
    yield shell(f"fail2ban-client set mailstack unbanip {ids} >/dev/null")


def _check_not_spared(banned: str) -> None:
    settings = deployed_with() or Settings.from_data(host.data)
    own = [network(each) for each in read(HOST_ADDRESSES)]
    wanted = ipaddress.ip_network(banned)
    for each in [*spared(settings, read(PLATFORM)), *own]:
        other = ipaddress.ip_network(each)
        if other.version == wanted.version and other.overlaps(wanted):
            raise OperationValueError(
                f"address = {banned!r}: {each} is never shut out: it is of this host, of the machine that "
                "runs pyinfra, or in mail_mynetworks or mail_fail2ban_spared"
            )


def _bans(banned: str) -> tuple[Ban, ...]:
    """Return the bans of an address. Raises ``OperationError`` if fail2ban can't say."""
    bans = read(Bans.of())
    if bans is None:
        raise OperationError(_DOES_NOT_RUN)
    return tuple(ban for ban in bans if ban.address == banned)


def _is_here() -> bool:
    """Return whether this host has mail, and say so if it has not."""
    if hosts.topology().here.has_mail:
        return True
    host.log("the bans are on the host with the mail server")
    return False
