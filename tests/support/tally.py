"""The count of numbered messages: which were accepted, and what came into the mailboxes, byte for byte."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate
from typing import NamedTuple

from tests.support import clients
from tests.support.sample_accounts import ALICE, BOB
from tests.targets.containers import Target

#: How a client comes to send a message that the server has already: it never heard the 250.
SENT_AGAIN = "sent again"
#: How Postfix comes to deliver a message that Dovecot has stored: it never heard LMTP's answer.
DELIVERED_AGAIN = "delivered again"
_NUMBER = re.compile(rb"^Subject: number (\d+)\r\n", re.MULTILINE)
_QUEUE_ID = re.compile(rb"^Received: [^\n]*(?:\n[ \t][^\n]*)*?with E?SMTPS?A? id (\w+)", re.MULTILINE)


class Copy(NamedTuple):
    """A message in a mailbox: its ID in Postfix's queue, and whether its text is that of its number."""

    queue_id: str
    whole: bool


@dataclass(frozen=True)
class Tally:
    """What became of messages.

    + accepted: the numbers of messages that got a 250
    + copies: the messages in the mailboxes, by number
    + queued: the numbers of messages that wait in the queue
    """

    accepted: frozenset[int]
    copies: Mapping[int, tuple[Copy, ...]]
    queued: frozenset[int] = frozenset()

    @property
    def lost(self) -> list[int]:
        """The accepted messages that are in no mailbox and not in the queue."""
        return sorted(self.accepted - self.copies.keys() - self.queued)

    @property
    def damaged(self) -> list[int]:
        """The messages of which a copy has another text."""
        return sorted(number for number, all_ in self.copies.items() if not all(copy.whole for copy in all_))

    @property
    def doubled(self) -> dict[int, str]:
        """The messages with more than one copy, each with how that came: `SENT_AGAIN`, `DELIVERED_AGAIN`."""
        several = {number: all_ for number, all_ in self.copies.items() if len(all_) > 1}
        return {
            number: SENT_AGAIN if len({copy.queue_id for copy in all_}) == len(all_) else DELIVERED_AGAIN
            for number, all_ in several.items()
        }


def message(sender: str, number: int) -> EmailMessage:
    """Return the message with a number, of a size of its own; the numbers go to two users in turns."""
    mail = clients.message(sender, recipient(number), f"number {number}", _text(number))
    mail["Date"] = formatdate()  # without one, a filter that finds no DNS would call it spam
    return mail


def recipient(number: int) -> str:
    """Return the user that the message with a number goes to."""
    return (ALICE, BOB)[number % 2]


def _text(number: int) -> str:
    """Return a kilobyte or ten that no other number has; every fiftieth is larger than a pipe or a buffer."""
    chance = random.Random(number)
    lines = 3000 if number % 50 == 0 else chance.randrange(15, 150)
    return "".join(f"{chance.getrandbits(256):064x}\n" for _ in range(lines))


def take(host: Target, accepted: Iterable[int], timeout: float) -> Tally:
    """Wait until none is in the queue, or ``timeout`` seconds; then count, and empty the mailboxes."""
    queued: frozenset[int] = frozenset()
    try:
        clients.wait_for_empty_queue(host, timeout, to=(ALICE, BOB))
    except TimeoutError:
        queued = _queued(host)
    copies: dict[int, tuple[Copy, ...]] = {}
    for user in (ALICE, BOB):
        for whole in _fetched(host, user):
            if found := _NUMBER.search(whole):
                number = int(found[1])
                copies[number] = (*copies.get(number, ()), copy_of(number, whole))
    return Tally(frozenset(accepted), copies, queued)


def copy_of(number: int, whole: bytes) -> Copy:
    """Return what a mailbox has of the message with a number, as IMAP returns it."""
    queue_id = _QUEUE_ID.search(whole)
    text = whole.partition(b"\r\n\r\n")[2].replace(b"\r\n", b"\n")
    return Copy(queue_id[1].decode() if queue_id else "", text == _text(number).encode())


def _fetched(host: Target, user: str) -> list[bytes]:
    """Return all messages in the INBOX of a user, which is empty after that."""
    with clients.imap(host, user) as session:
        if session.search(None, "ALL")[1] == [b""]:
            return []
        _, answers = session.fetch("1:*", "(BODY.PEEK[])")
        session.store("1:*", "+FLAGS.SILENT", r"(\Deleted)")
        session.expunge()
    return [answer[1] for answer in answers if isinstance(answer, tuple)]


def _queued(host: Target) -> frozenset[int]:
    """Return the numbers of the messages in the queue."""
    ids = [json.loads(line)["queue_id"] for line in host.exec("postqueue -j").stdout.splitlines()]
    show = f"for id in {' '.join(ids)}; do postcat -qh $id; done"
    headers = host.exec(show, check=False).stdout.replace("\n", "\r\n").encode()
    return frozenset(int(number) for number in _NUMBER.findall(headers))
