"""The bans as text and as JSON. Pure."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime

from mailstack.facts.bans import Guessed
from mailstack.text import table

_HEAD = ("ADDRESS", "SINCE", "UNTIL", "GUESSES", "USERS")
_FEW = 3


def as_json(host: str, found: Guessed) -> str:
    """Return the bans of a host as one JSON object; times are in UTC."""
    bans = [
        {
            "address": ban.address,
            "since": _time(ban.since, "T") + "Z",
            "until": _time(ban.until, "T") + "Z",
            "guesses": ban.guesses,
            "in_force": ban.in_force,
            "users": dict(found.users.get(ban.address, Counter()).most_common()),
        }
        for ban in found.bans
    ]
    return json.dumps({"host": host, "bans": bans}, indent=2) + "\n"


def as_text(host: str, found: Guessed) -> str:
    """Return the bans of a host for a person; times are in UTC."""
    if not found.bans:
        return f"{host}: no address is shut out\n"
    rows = [
        (
            ban.address,
            _time(ban.since, " ")[:16],
            _time(ban.until, " ")[:16],
            str(ban.guesses or "by hand"),
            _users(found.users.get(ban.address, Counter())),
        )
        for ban in found.bans
    ]
    away = [ban.address for ban in found.bans if not ban.in_force]
    number = len(rows) - len(away)
    count = (
        "1 address is" if number == 1 else f"{number or 'no'} {'addresses are' if number else 'address is'}"
    )
    told = ""
    if away:
        verb = "it is" if len(away) == 1 else "they are"
        told = (
            f"; {len(away)} should be, but {verb} not in the rules of nftables: {', '.join(away[:_FEW])}"
            f"{f' and {len(away) - _FEW} more' if len(away) > _FEW else ''}."
            " systemctl restart fail2ban on the host brings them back"
        )
    return f"{host}: {count} shut out{told}\n{table(_HEAD, rows)}"


def _users(users: Counter[str]) -> str:
    named = [user for user, _ in users.most_common(_FEW)]
    more = len(users) - len(named)
    return ", ".join([*named, *([f"{more} more"] if more else [])])


def _time(at: datetime, between: str) -> str:
    return at.replace(tzinfo=None).isoformat(between, "seconds")
