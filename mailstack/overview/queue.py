"""Postfix's queue by age and reason. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from mailstack.overview.screen import Section, Trouble, counted, lasting, listed
from mailstack.tracing.meanings import meaning

_AGES = (("up to an hour", 3600), ("up to a day", 86400), ("longer", float("inf")))
_PLACES = {"hold": "on hold", "incoming": "new", "active": "in delivery", "deferred": "to be tried again"}
_OURS = re.compile(
    r"private/|127\.0\.0\.1|\[::1\]|lookup (?:error|failed|failure)|lookup table|unavailable\)"
)
"""What a reason says if the server itself is the reason."""
_OURS_AFTER = 900
_MANY = 500
"""So many messages of one sender in the queue are a sign of a stolen password."""


def queue(now: int, messages: Sequence[Mapping[str, Any]] | None, rescued: int = 0) -> Section:
    """Return the section about the queue.

    + messages: as postqueue(1) prints them, ``None`` if it did not
    + rescued: see ``Host``
    """
    if messages is None:
        trouble = Trouble("postqueue does not answer", "`postqueue -p` on the host says why")
        return Section("queue", ["not known"], None, [trouble])
    ages = [max(now - message["arrival_time"], 0) for message in messages]
    by_age = {name: 0 for name, _ in _AGES}
    for age in ages:
        by_age[next(name for name, limit in _AGES if age <= limit)] += 1
    by_place = Counter(message["queue_name"] for message in messages)
    reasons = Counter(reason for message in messages for reason in {*map(_reason, _delayed(message))})
    lines = [counted(len(messages), "message") if messages else "empty"]
    if messages:
        parts = [f"{name}: {count}" for name, count in by_age.items() if count]
        places = [f"{count} {_PLACES.get(name, name)}" for name, count in sorted(by_place.items())]
        age = f"they wait {', '.join(parts)}; the oldest {lasting(max(ages))}"
        lines = [f"{lines[0]}: {', '.join(places)}", age]
        lines += [f"{count:5}  {reason}" for reason, count in reasons.most_common(5)]
    data = {
        "messages": len(messages),
        "oldest_seconds": max(ages, default=0),
        "by_age": by_age,
        "by_place": dict(by_place),
        "by_reason": dict(reasons.most_common()),
    }
    troubles = _troubles(now, messages)
    if rescued:
        text = f"{counted(rescued, 'message')} in /var/spool/postfix/mailstack-rescue, and in no queue"
        troubles.append(Trouble(text, "mailstack.queue.rescue goes on with it, to the host of the last time"))
    return Section("queue", lines, data, troubles)


def _troubles(now: int, messages: Sequence[Mapping[str, Any]]) -> list[Trouble]:
    found = []
    held = [message["queue_id"] for message in messages if message["queue_name"] == "hold"]
    if held:
        text = f"{counted(len(held), 'message')} on hold: {listed(held)}"
        advice = "`postcat -hq ID` shows one, `postsuper -H ID` lets it go on, `postsuper -d ID` deletes it"
        found.append(Trouble(text, advice))
    ours = Counter(
        _shortened(recipient["delay_reason"])
        for message in messages
        if now - message["arrival_time"] > _OURS_AFTER
        for recipient in _delayed(message)
        if _OURS.search(recipient["delay_reason"])
    )
    for reason, count in ours.most_common(3):
        text = f"{counted(count, 'recipient')} wait for this server itself: {reason}"
        found.append(Trouble(text, "Repair that; `postqueue -f` on the host then tries again at once"))
    for sender, count in Counter(message["sender"] for message in messages).most_common(1):
        if count >= _MANY:
            text = f"{count:,} messages from {sender or '<>'} wait"
            advice = (
                "Was a password stolen? mailstack.accounts.user ADDRESS, option active off, stops the user"
            )
            found.append(Trouble(text, advice))
    return found


def _delayed(message: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in message.get("recipients", ()) if each.get("delay_reason")]


def _reason(recipient: Mapping[str, Any]) -> str:
    reason = str(recipient["delay_reason"])
    domain = str(recipient["address"]).rpartition("@")[2]
    return f"{domain}: {meaning(reason) or _shortened(reason)}"


def _shortened(reason: str) -> str:
    return reason if len(reason) <= 100 else f"{reason[:99]}…"
