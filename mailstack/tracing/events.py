"""The life of a message as events in their order, in words. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from mailstack.tracing import lines
from mailstack.tracing.meanings import meaning
from mailstack.tracing.messages import Delivery, Message, Refusal
from mailstack.tracing.selection import Chain

_SENT = "sent"
_STATES = {
    "deferred": "waits",
    "bounced": "failed",
    "expired": "failed",
    "undeliverable": "failed",
    "deliverable": "probed",
}


class Event(NamedTuple):
    """Something that happened to a message.

    + what: one word, such as ``delivered``
    + text: the rest, as the journal has it or in words
    + means: a sentence about the reason, or nothing
    """

    at: float
    host: str
    queue_id: str
    what: str
    text: str
    means: str = ""


def of_chain(chain: Chain) -> list[Event]:
    """Return the events of all messages of a chain, by time."""
    events = [event for message in chain.messages for event in _of_message(message)]
    return sorted(events, key=lambda event: event.at)


def of_refusal(refused: Refusal, queue_id: str = "") -> Event:
    """Return the event of a refusal."""
    text = f"{refused.to or 'the message'} from {refused.sender or '<>'} by {refused.client}: {refused.reply}"
    what = "try later" if refused.reply.startswith("4") else "refused"
    return Event(refused.entry.at, refused.entry.host, queue_id, what, text, meaning(refused.reply))


def _of_message(message: Message) -> Iterator[Event]:
    def event(at: float, what: str, text: str, means: str = "") -> Event:
        return Event(at, message.host, message.queue_id, what, text, means)

    yield event(message.at, "received", _origin(message))
    if message.scan:
        yield event(message.scan.at, "checked", _score(message.scan.text))
    yield from (of_refusal(refused, message.queue_id) for refused in message.refusals)
    aliases = sorted({(each.asked, each.to) for each in message.deliveries if _is_alias(each)})
    if aliases and message.deliveries:
        first = min(each.entry.at for each in message.deliveries)
        yield from (event(first - 1e-6, "alias", f"{asked} -> {to}") for asked, to in aliases)
    for deliveries in _alike(message.deliveries):
        yield _attempts(message, deliveries)
    if message.expired:
        yield event(message.expired.at, "failed", "it waited too long in the queue", meaning("", "5.4.7"))
    for entry, kind, queue_id in message.notices:
        yield event(entry.at, "notice", f"{kind} as {queue_id}")
    if message.removed and message.removed.text.endswith(": removed"):  # not that of a refused message
        yield event(message.removed.at, "done", "removed from the queue")


def _is_alias(delivery: Delivery) -> bool:
    return bool(delivery.asked) and delivery.asked.lower() != delivery.to.lower()


def _alike(deliveries: Iterable[Delivery]) -> Iterator[list[Delivery]]:
    """Yield attempts with the same recipient and result together: there may be hundreds of them."""
    grouped: dict[tuple[str, str, str], list[Delivery]] = {}
    for each in deliveries:
        grouped.setdefault((each.to, each.status, each.reason), []).append(each)
    yield from grouped.values()


def _origin(message: Message) -> str:
    if message.uid:
        origin = f"from this host, user {message.uid}"
    elif message.client:
        origin = f"from {message.client}{message.tls and f', {message.tls}'}"
        origin += f", logged in as {message.user}" if message.user else ""
        origin += f", {message.origin} again" if message.origin else ""
    else:
        origin = "made by this host"
    size = f", {message.size} bytes" if message.size else ""
    return f"{origin}{size}, {message.message_id or 'no Message-ID'}"


def _score(text: str) -> str:
    told = lines.SCORE.search(text)
    if not told:
        return "by the filter"
    found = [(float(symbol["weight"]), symbol["name"]) for symbol in lines.SYMBOL.finditer(told["why"])]
    found = sorted((each for each in found if each[0]), key=lambda each: (-abs(each[0]), each[1]))
    why = ", ".join(f"{name} {weight:g}" for weight, name in found[:8])
    more = f" and {len(found) - 8} more" if len(found) > 8 else ""
    if forced := lines.FORCED.fullmatch(text):
        more += f"; decided by {forced['name']}"
    return f"{told['score']} of {told['limit']} points, {told['action']}{why and f': {why}'}{more}"


def _attempts(message: Message, deliveries: list[Delivery]) -> Event:
    first, last = deliveries[0], deliveries[-1]
    means = ""
    if first.status == _SENT:
        what, text = _success(first)
    else:
        what = _STATES.get(first.status, first.status)
        times = f" ({len(deliveries)} times)" if len(deliveries) > 1 else ""
        place = "" if first.relay == "none" else f" at {first.relay}"
        text = f"{first.to}{place}{times}: {first.reason}"
        means = meaning(first.reason, first.dsn)
    return Event(last.entry.at, message.host, message.queue_id, what, text, means)


def _success(delivery: Delivery) -> tuple[str, str]:
    if not lines.SESSION.match(delivery.reason):
        return "sent on", f"{delivery.to} to {delivery.relay}: {delivery.reason}"
    found = [told for entry in delivery.stored if (told := _stored(entry.text))]
    return "delivered", f"{delivery.to}: {'; '.join(found) or 'into the mailbox'}"


def _stored(text: str) -> str:
    told = lines.LMTP.fullmatch(text)
    found = told and lines.STORED.fullmatch(told["text"])
    if not found:
        return ""
    folder = found["folder"] or found["saved"]
    return f"into {folder}" if folder else str(found["other"])
