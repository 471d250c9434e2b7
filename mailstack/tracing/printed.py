"""A trace as text and as JSON. Pure."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from mailstack import text
from mailstack.tracing import events
from mailstack.tracing.events import Event
from mailstack.tracing.selection import Chain, Selection

_WIDTH = 9


def as_json(selection: Selection) -> str:
    """Return what was found as one JSON object."""
    messages = [
        {**_head(chain), "events": [_shown(event) for event in events.of_chain(chain)]}
        for chain in selection.chains
    ]
    refusals = [_shown(events.of_refusal(refused)) for refused in selection.refusals]
    return json.dumps({"messages": messages, "refused": refusals}, indent=2) + "\n"


def as_text(selection: Selection) -> str:
    """Return what was found for a person; times are in UTC."""
    blocks = []
    hosts = {message.host for chain in selection.chains for message in chain.messages}
    for chain in selection.chains:
        head = _head(chain)
        to = ", ".join(head["to"]) or "nobody"
        lines = [f"{', '.join(head['queue_ids'])}: from {head['from']} to {to}"]
        several = len(hosts) > 1 or len(chain.messages) > 1
        lines += [line for event in events.of_chain(chain) for line in _lines(event, several, len(hosts) > 1)]
        blocks.append(lines)
    if selection.refusals:
        refused = [events.of_refusal(each) for each in selection.refusals]
        blocks.append(["Refused, and in no queue:", *(line for each in refused for line in _lines(each))])
    return "\n".join("".join(f"{text.printable(line)}\n" for line in block) for block in blocks)


def _head(chain: Chain) -> dict[str, Any]:
    first = chain.messages[0]
    to = {each.asked or each.to: None for each in first.deliveries}
    to |= {each.to: None for each in first.refusals if each.to}
    return {
        "queue_ids": [*dict.fromkeys(message.queue_id for message in chain.messages)],
        "message_id": first.message_id,
        "from": "<>" if first.author == "" else first.author or "an unknown sender",
        "to": [*to],
    }


def _lines(event: Event, several: bool = False, hosts: bool = False) -> Sequence[str]:
    where = [_time(event.at, " ")]
    if hosts:
        where.append(event.host)
    if several:
        where.append(event.queue_id)
    start = f"  {'  '.join(where)}  "
    lines = [f"{start}{event.what:{_WIDTH}}  {event.text}"]
    if event.means:
        lines.append(f"{'':{len(start) + _WIDTH + 2}}= {event.means}")
    return lines


def _shown(event: Event) -> dict[str, Any]:
    return {**event._asdict(), "at": f"{_time(event.at, 'T')}Z", "means": event.means or None}


def _time(at: float, between: str) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(between, "milliseconds")[:23]
