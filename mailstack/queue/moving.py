"""Move the messages in the queue of one host into that of another, in batches, through this machine."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pyinfra.api.exceptions import OperationError

from mailstack import hosts
from mailstack.on_host import rescue as program
from mailstack.programs import archive
from mailstack.run import run_script
from mailstack.shell import script, with_input

if TYPE_CHECKING:
    from mailstack.topology import Node

_BATCH = 4 << 20
"""The bytes of messages after which a batch ends."""
_MOST = 500
"""The messages of a batch at most."""
_STEP = 1800
"""The seconds that a step may take on a host."""

Listed = tuple[str, str, int]
"""A message in the queue that loses it: the directory of the queue, the ID, and the bytes."""


@dataclass
class Tally:
    """What became of the messages in a queue.

    + put: the number of those in the other queue now, by its directories
    + known: the number of those that an earlier run had put there
    + unfinished: the number of those that Postfix had not yet taken over from the client
    + damaged: the IDs of those that are no messages
    + unreadable: the IDs of those that the disk does not give, and paths, see ``rescue.spool.messages``
    """

    put: Counter[str] = field(default_factory=Counter)
    known: int = 0
    unfinished: int = 0
    damaged: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)

    def add(self, said: dict[str, Any]) -> None:
        """Add what a step says."""
        self.put.update(said.get("put", {}))
        self.known += said.get("known", 0)
        self.unfinished += said.get("unfinished", 0)
        self.damaged += said.get("damaged", [])
        self.unreadable += said.get("unreadable", [])

    @property
    def left(self) -> list[str]:
        """What is in no queue."""
        return [*self.damaged, *self.unreadable]

    def lines(self) -> Iterator[str]:
        """Say what became of them."""
        held = f", {self.put['hold']} of them on hold" if self.put["hold"] else ""
        yield f"moved: {_messages(self.put.total())}{held}"
        if self.known:
            yield f"moved by an earlier run: {_messages(self.known)}"
        if self.unfinished:
            yield (
                f"left: {_messages(self.unfinished)} that Postfix had not finished, nor answered with 250."
                " In a copied directory these may be all: a copy needs the modes of the files (cp -a)"
            )


def _messages(number: int) -> str:
    return "1 message" if number == 1 else f"{number} messages"


def from_directory(path: str, target: Node) -> Tally:
    """Put the messages of a copied spool directory into the queue of the host that has the copy.

    Raises ``OperationError`` if that can't be done.
    """
    tally = Tally()
    tally.add(_step(target, "bring", path, target.name))
    return tally


def from_host(source: Node, target: Node) -> Tally:
    """Stop Postfix on a host, and move all its messages into the queue of another.

    Raises ``OperationError`` if that can't be done. Another run continues it.
    """
    _step(target, "ready")
    tally = Tally()
    taken = _step(source, "take", target.name)
    tally.add({kind: taken[kind] for kind in ("unfinished", "unreadable")})
    try:
        for batch in batches([(queue, name, size) for queue, name, size in taken["messages"]]):
            _move([(queue, name) for queue, name, _ in batch], source, target, tally)
    except OperationError as error:
        raise OperationError(
            f"{error}; until a run has moved the rest, it is in no queue, but in "
            f"/var/spool/postfix/mailstack-rescue of {source.name}, whose Postfix is stopped"
        ) from None
    return tally


def _move(names: Sequence[tuple[str, str]], source: Node, target: Node, tally: Tally) -> None:
    read = _step(source, "read", target.name, data=json.dumps(names))
    put = _step(target, "put", data=json.dumps({"messages": read["messages"]}))
    tally.add(put)
    tally.add({"unreadable": read["unreadable"]})
    left = {*put["damaged"], *read["unreadable"]}
    _step(source, "drop", data=json.dumps([each for each in names if each[1] not in left]))


def batches(listed: Sequence[Listed]) -> Iterator[list[Listed]]:
    """Divide messages into batches that fit into memory several times."""
    batch: list[Listed] = []
    for each in listed:
        if batch and (sum(size for *_, size in batch) + each[2] > _BATCH or len(batch) == _MOST):
            yield batch
            batch = []
        batch.append(each)
    if batch:
        yield batch


def _step(node: Node, name: str, *arguments: str, data: str | None = None) -> dict[str, Any]:
    """Do a step on a host, and return what it says. Raises ``OperationError`` with its error."""
    text = with_input(script("rescue", archive(program), name, *arguments), data)
    said = run_script(hosts.host_of(node), text, _STEP)
    if said.succeeded:
        found: dict[str, Any] = json.loads(said.output)
        return found
    lines = (said.errors or said.output).strip().split("\n")
    raise OperationError(f"{node.name}: {lines[-1] or 'it ended without a word'}")
