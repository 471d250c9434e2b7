"""The command ``mailstack.verify.from_outside``: a mail server as others see it, without its host."""

from __future__ import annotations

import ipaddress
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Unpack

from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack import addresses
from mailstack.accounts.arguments import arguments_checked
from mailstack.operation import naming_the_host, needs_no_host
from mailstack.run import answer, leave_out
from mailstack.verify.commands import FORMATS, check_format
from mailstack.verify.printed import failed

if TYPE_CHECKING:
    from mailstack.deploys import GlobalArguments


@arguments_checked("mailstack.verify", "Verify from outside")
@needs_no_host
def from_outside(
    server: str, *, resolver: str | None = None, format: str = "table", **pyinfras: Unpack[GlobalArguments]
) -> None:
    """Check a mail server from the machine that runs pyinfra, and print it; fail if a check fails.

    + server: the name of a mail server, or a mail domain, of which all servers are checked
    + resolver: the address of the resolver to ask, by default that of this machine
    + format: ``table`` or ``json``

    It runs on ``@local``, and takes nothing but a connection to the Internet.

    **Example:**

    .. code:: shell

        pyinfra -y @local mailstack.verify.from_outside mail.example.org
    """
    check_format(format)
    try:
        name = addresses.domain_name(str(server).removesuffix("."))
    except ValueError as error:
        raise OperationValueError(
            f"server = {server!r}: {error}; allowed: such as mail.example.org"
        ) from None
    if resolver is not None:
        resolver = _address(str(resolver))
    if not _is_first():
        return  # every host of an inventory would find the same
    with naming_the_host():
        found = looked(name, resolver)
        answer(FORMATS[format](found))
    if wrong := failed(found):
        leave_out(f"{name}: {len(wrong)} of {len(found['checks'])} checks failed: see above")


def _address(resolver: str) -> str:
    """Return the address of a resolver. Raises ``OperationValueError`` for a name, or anything else."""
    try:
        return str(ipaddress.ip_address(resolver))
    except ValueError:
        raise OperationValueError(
            f"resolver = {resolver!r}: allowed: an IP address, such as 192.0.2.53"
        ) from None


def _is_first() -> bool:
    """Return whether the current host is the first one of this run: ``--limit`` leaves others out."""
    return host.name == next((each.name for each in host.inventory if each.connected), None)


def looked(server: str, resolver: str | None) -> dict[str, Any]:
    """Return what others see of a server or a domain: ``host``, ``seconds``, ``checks``."""
    from mailstack.dns.asking import Asker  # it takes time to import, and other commands do not need it
    from mailstack.verify.seen import look

    start = time.time()
    asker = Asker(resolver)
    if asker.ask("localhost", "A").is_silence:  # a name that it knows by itself (RFC 6761)
        raise OperationError(
            f"the resolver {asker.resolver.address} does not answer; resolver=… names another"
        )
    results = look(asker, server)
    seconds = round(time.time() - start, 2)
    return {
        "host": server,
        "at": int(start),
        "seconds": seconds,
        "checks": [asdict(each) for each in results],
    }
