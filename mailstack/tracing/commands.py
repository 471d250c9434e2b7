"""The command ``mailstack.trace``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Unpack

from pyinfra import logger
from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack import hosts
from mailstack.accounts.arguments import arguments_checked
from mailstack.facts.reading import read
from mailstack.garbage import not_collected
from mailstack.operation import naming_the_host, reason
from mailstack.run import answer, leave_out
from mailstack.tracing.journal import MailJournal
from mailstack.tracing.lines import QUEUE_ID, Entry, entries
from mailstack.tracing.messages import gathered
from mailstack.tracing.printed import as_json, as_text
from mailstack.tracing.selection import selected

if TYPE_CHECKING:
    from mailstack.deploys import GlobalArguments
    from mailstack.topology import Node

FORMATS = {"table": as_text, "json": as_json}
_AGO = re.compile(r"\d+ ?(?:s|min|m|h|d|day|days|w|week|weeks)")


@arguments_checked("mailstack", "Trace")
def trace(
    message: str, *, since: str = "1d", format: str = "table", **pyinfras: Unpack[GlobalArguments]
) -> None:
    """Print what became of a message, from the journals of all mail hosts of the run, on standard output.

    + message: an address (all messages from it and to it), a Message-ID, or a queue ID
    + since: how far back, such as ``2h`` or ``5d``, or a time as journalctl(1) takes it
    + format: ``table`` or ``json``

    Of messages to an address, what is about other recipients is not shown. Fails if nothing is found.
    """
    if format not in FORMATS:
        raise OperationValueError(f"format = {format!r}: allowed: {', '.join(FORMATS)}")
    if not isinstance(message, str):  # pyinfra's command line makes a number of it: 0123456789, 12345E6789
        raise OperationValueError(
            f"message: pyinfra takes it for the number {message}; write it in two pairs of quotes, as in"
            " message='\"0123456789\"'"
        )
    wanted, start = _wanted(message), _since(str(since))
    nodes = _nodes()
    if not nodes or nodes[0] != hosts.topology().here:
        return  # one host of the run prints for all of them
    with naming_the_host(), not_collected():
        found = selected(gathered(_entries(nodes, start)), wanted)
    if found.is_empty:
        leave_out(
            f"the journals have nothing about {wanted} since {start}; since=7d looks further back, and"
            " names of queues and Message-IDs are case-sensitive"
        )
    answer(FORMATS[format](found))


def _wanted(message: str) -> str:
    several = " " in message and not message.startswith(('"', "<"))  # "a b"@example.org is one
    if not message.isprintable() or several or len(message) > 1000:
        raise OperationValueError("message: must be one address, Message-ID or queue ID")
    if "@" not in message and not QUEUE_ID.fullmatch(message):
        raise OperationValueError(
            f"message = {message!r}: must be an address, a Message-ID such as <x@example.org>, or a queue ID"
            " such as 4F1C22E0A3"
        )
    return message


def _since(since: str) -> str:
    """Return the time for journalctl(1), which takes ``-2h`` where people write ``2h``."""
    if not since.isprintable() or since.startswith("--"):
        raise OperationValueError(
            f"since = {since!r}: allowed: such as 2h, 5d, yesterday, '2026-01-31 12:00'"
        )
    return f"-{since}" if _AGO.fullmatch(since) else since


def _nodes() -> list[Node]:
    """Return the hosts of this run with mail."""
    topology = hosts.topology()
    return [node for node in topology.nodes if node.has_mail and node.name in topology.reached]


def _entries(nodes: list[Node], since: str) -> Iterator[Entry]:
    for node in nodes:
        try:
            yield from entries(node.name, read(MailJournal.of(since), hosts.host_of(node)))
        except OperationError as error:
            if len(nodes) == 1:
                raise
            host.log_styled(f"{node.name} is left out: {reason(error)}", fg="yellow", log_func=logger.warning)
