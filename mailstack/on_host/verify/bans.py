"""Whether fail2ban shuts out the machine that runs pyinfra, which looks like a fault of the network there."""

from __future__ import annotations

import ast
import ipaddress
import shutil
from collections.abc import Mapping, Sequence
from functools import partial

from .results import Problem, Report, Skip
from .run import one_line, run

OURS = "mailstack"
"""The jail of mailstack, where an IPv6 address stands for its /64."""


def check(report: Report, control: str) -> None:
    """Check that no jail has the address of that machine."""
    title = f"the machine that runs pyinfra, {control}, is not shut out"
    report.check("ports", title, partial(not_banned, control))


def not_banned(address: str) -> None:
    """Check that no jail has an address. Raises ``Problem`` with the jail, and what lets the address in."""
    if not shutil.which("fail2ban-client"):
        return
    status, said, errors = run(["fail2ban-client", "banned"])
    if status:
        raise Skip(f"fail2ban does not say: {one_line(errors or said)}")
    found = having(address, jails(said))
    if not found:
        return
    ways = [
        f"pyinfra INVENTORY mailstack.ban.remove {address}"
        if jail == OURS
        else f"on the host, fail2ban-client set {jail} unbanip {banned}"
        for jail, banned in found.items()
    ]
    name = f"the jail {', '.join(found)}" if len(found) == 1 else f"the jails {', '.join(found)}"
    raise Problem(
        f"{address} is shut out by {name} of fail2ban",
        f"{'; '.join(ways)} lets it in again; mail_fail2ban_spared has addresses that never are shut out",
    )


def jails(said: str) -> dict[str, Sequence[str]]:
    """Return the addresses of each jail, as ``fail2ban-client banned`` prints them."""
    try:
        return {jail: banned for each in ast.literal_eval(said.strip()) for jail, banned in each.items()}
    except (ValueError, SyntaxError, AttributeError):
        raise Skip(f"fail2ban does not say: {one_line(said)}") from None


def having(address: str, banned: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the jails that shut out an address, each with what it has banned."""
    wanted = ipaddress.ip_address(address)
    found = {}
    for jail, each in ((jail, each) for jail, addresses in banned.items() for each in addresses):
        network = ipaddress.ip_network(each)
        if network.version == 6 and network.prefixlen == 128 and jail == OURS:
            network = network.supernet(new_prefix=64)
        if wanted in network:
            found[jail] = each
    return found
