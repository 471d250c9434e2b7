"""The messages that belong to an address, a Message-ID or a queue ID, and what of them is shown. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from mailstack.tracing import lines
from mailstack.tracing.messages import Delivery, Mail, Message, Refusal


@dataclass
class Chain:
    """A message with all messages that came of it: a detour, a forwarded copy, notifications.

    + messages: by time; what is not about the address is taken out
    """

    messages: list[Message] = field(default_factory=list)


@dataclass
class Selection:
    """What is shown: whole lives of messages, and refusals of those that never were in a queue."""

    chains: list[Chain] = field(default_factory=list)
    refusals: list[Refusal] = field(default_factory=list)

    @property
    def is_empty(self) -> bool:
        """Whether nothing was found."""
        return not self.chains and not self.refusals


def selected(mail: Mail, wanted: str) -> Selection:
    """Return what belongs to an address, a Message-ID (with or without ``<>``) or a queue ID.

    Of a recipient's messages, what is about other recipients is left out. Of a sender's, nothing is.
    """
    if "@" not in wanted:
        return Selection(_chains(mail, [each for each in mail.messages if each.queue_id == wanted]))
    if not wanted.startswith("<"):
        found = _of_address(mail, wanted.lower())
        if not found.is_empty:
            return found
    message_id = f"<{wanted.strip('<>')}>"
    return Selection(_chains(mail, [each for each in mail.messages if each.message_id == message_id]))


def _of_address(mail: Mail, address: str) -> Selection:
    seeds = [message for message in mail.messages if _is_about(message, address)]
    chains = [narrowed for chain in _chains(mail, seeds) if (narrowed := _narrowed(chain, address)).messages]
    refusals = [each for each in mail.refusals if address in (each.sender.lower(), each.to.lower())]
    return Selection(chains, refusals)


def _is_about(message: Message, address: str) -> bool:
    return (
        _is_sender(message, address)
        or any(_is_to(delivery, {address}) for delivery in message.deliveries)
        or any(refused.to.lower() == address for refused in message.refusals)
    )


def _is_sender(message: Message, address: str) -> bool:
    return address in ((message.author or "").lower(), message.user.lower())


def _is_to(delivery: Delivery, addresses: set[str]) -> bool:
    return delivery.to.lower() in addresses or delivery.asked.lower() in addresses


def _chains(mail: Mail, seeds: list[Message]) -> list[Chain]:
    """Return the chains of messages with one of the seeds in them."""
    if not seeds:
        return []
    linked = _links(mail)
    chains, seen = [], set[int]()
    for seed in seeds:
        if id(seed) in seen:
            continue
        found, waiting = [], [seed]
        while waiting:
            message = waiting.pop()
            if id(message) not in seen:
                seen.add(id(message))
                found.append(message)
                waiting += linked[id(message)]
        chains.append(Chain(sorted(found, key=lambda each: each.at)))
    return sorted(chains, key=lambda chain: chain.messages[0].at)


def _links(mail: Mail) -> dict[int, list[Message]]:
    """Return the neighbours of each message, by its ``id``."""
    by_id: dict[str, list[Message]] = defaultdict(list)
    for message in mail.messages:
        by_id[message.queue_id].append(message)
    same: dict[str, list[Message]] = defaultdict(list)
    for message in mail.messages:
        if message.is_from_here and message.message_id:
            same[message.message_id].append(message)
    linked: dict[int, list[Message]] = defaultdict(list)
    for message in mail.messages:
        for other in _next(message, by_id, same):
            linked[id(message)].append(other)
            linked[id(other)].append(message)
    return linked


def _next(
    message: Message, by_id: dict[str, list[Message]], same: dict[str, list[Message]]
) -> Iterator[Message]:
    """Yield the messages that came of this one, and the one that it came of.

    What another server answers is not trusted: a queue ID in it needs the same Message-ID, and another host
    of the run or this one itself.
    """
    if message.origin:
        before = [
            each for each in by_id[message.origin] if each.host == message.host and each.at <= message.at
        ]
        yield from before[-1:]
    for entry, _, queue_id in message.notices:
        after = [
            each for each in by_id[queue_id] if each.host == message.host and abs(each.at - entry.at) < 60
        ]
        yield from after[:1]
    for delivery in message.deliveries:
        if told := lines.QUEUED_AS.match(delivery.reason):
            yield from (
                each
                for each in by_id[told["id"]]
                if each.message_id == message.message_id
                and (each.host != message.host or (_is_loopback(delivery.relay) and each.is_from_here))
            )
        if _forwarded_to(delivery):
            at = delivery.entry.at
            yield from (
                each
                for each in same[message.message_id]
                if each is not message and each.host == message.host and abs(each.at - at) < 60
            )


def _is_loopback(relay: str) -> bool:
    return "[127.0.0.1]" in relay or "[::1]" in relay


def _forwarded_to(delivery: Delivery) -> set[str]:
    """Return the addresses to which a Sieve script of the recipient has forwarded the message."""
    told = (lines.FORWARDED.fullmatch(entry.text) for entry in delivery.stored)
    return {found["to"].lower() for found in told if found}


def _narrowed(chain: Chain, address: str) -> Chain:
    """Return the chain without what is about other recipients, unless the address is the sender."""
    if any(_is_sender(message, address) for message in chain.messages):
        return chain
    targets = {address}
    for _ in chain.messages:  # a target of one message is the recipient of the next
        for message in chain.messages:
            for delivery in message.deliveries:
                if _is_to(delivery, targets):
                    targets |= {delivery.to.lower(), *_forwarded_to(delivery)}
    notices: set[str] = set()
    for message in chain.messages:
        message.deliveries = [
            each
            for each in message.deliveries
            if _is_to(each, targets) or (message.sender == "" and message.queue_id in notices)
        ]
        message.refusals = [each for each in message.refusals if each.to.lower() in targets]
        if message.deliveries:
            notices |= {queue_id for _, _, queue_id in message.notices}
        else:
            message.notices = []
    return Chain([each for each in chain.messages if each.deliveries or each.refusals])
