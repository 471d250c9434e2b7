"""The command ``mailstack.trace``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING, Unpack

from pyinfra import logger
from pyinfra.api.exceptions import OperationError, OperationValueError
from pyinfra.context import host

from mailstack import hosts
from mailstack.accounts.arguments import arguments_checked
from mailstack.facts.reading import read
from mailstack.garbage import not_collected
from mailstack.operation import naming_the_host, only_looks, reason
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
_UNIT = r"(?:s|sec|seconds?|m|min|minutes?|h|hours?|d|days?|w|weeks?|months?|y|years?)"
_SPAN = rf"\d{{1,4}} ?{_UNIT}(?: ?\d{{1,4}} ?{_UNIT})*"
_AGO = re.compile(rf"-?(?P<span>{_SPAN})|(?P<ago>{_SPAN}) ago")
"""A time span of systemd.time(7); a larger number would be before all journals."""
_TIME = re.compile(r"(?P<date>\d{4}-\d\d-\d\d)?(?:(?:^|[T ])(?P<time>\d\d:\d\d(?::\d\d)?))?(?P<utc> ?UTC)?")
_SINCE = "2h, '1h 30min', '3 days ago', today, yesterday, 08:15, 2026-01-31, '2026-01-31 12:00', @1769860800"


@arguments_checked("mailstack", "Trace")
@only_looks
def trace(
    message: str, *, since: str = "1d", format: str = "table", **pyinfras: Unpack[GlobalArguments]
) -> None:
    """Print what became of a message, from the journals of all mail hosts of the run, on standard output.

    + message: an address (all messages from it and to it), a Message-ID, or a queue ID
    + since: how far back, such as ``2h`` or ``1h 30min``, or a time of the host such as ``2026-01-31 12:00``
    + format: ``table`` or ``json``

    Of messages to an address, what is about other recipients is not shown. Fails if nothing is found.

    **Example:**

    .. code:: shell

        pyinfra -y INVENTORY mailstack.trace alice@example.org since=2h
        pyinfra -y INVENTORY mailstack.trace 4F1C22E0A3
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
            f"the journals have nothing about {wanted} since {start}; the option since 7d looks further back,"
            " and names of queues and Message-IDs are case-sensitive"
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
    """Return the time for journalctl(1), which takes ``-2h`` where people write ``2h``.

    Raises ``OperationValueError`` for a time that it does not know: it would print nothing.
    """
    if ago := _AGO.fullmatch(since):
        return f"-{ago['span'] or ago['ago']}"
    if since in ("today", "yesterday") or re.fullmatch(r"@\d{1,10}", since):
        return since
    if found := _TIME.fullmatch(since):
        parts = [found["date"], found["time"]]
        try:
            datetime.fromisoformat(f"{parts[0] or '2000-01-01'} {parts[1] or '00:00'}")
        except ValueError:
            parts = []
        if any(parts):
            return " ".join([*filter(None, parts), *(["UTC"] if found["utc"] else [])])
    raise OperationValueError(f"since = {since!r}: allowed: such as {_SINCE}")


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
