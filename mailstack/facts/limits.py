"""The users who may send no more mail for a while."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mailstack.facts.fact import Fact, Value
from mailstack.text import lines_of

SOCKET = "/run/redis-mailstack/redis.sock"
"""The socket of rspamd's Redis, in which ``templates/rspamd/user-limits.lua.j2`` counts."""


@dataclass(frozen=True)
class Limited(Value):
    """A limit that a user has reached.

    + limit: such as ``300 messages in an hour``
    + until: the time from which on the user may send again
    """

    limit: str
    until: datetime


class LimitedUsers(Fact[dict[str, Limited]]):
    """Return the users who have reached a limit, and may not send now: ``dict[str, Limited]``."""

    default = dict

    def command(self) -> str:
        """Read them."""
        return self.asking([])

    @staticmethod
    def ask(about: Sequence[str]) -> str:
        """See ``Question.ask``."""
        return f"[ ! -S {SOCKET} ] || {{ date +%s; redis-cli -s {SOCKET} hgetall mailstack_limited; }}"

    def parse(self, output: str) -> dict[str, Limited]:
        """See ``Question.parse``: the time, then a user and a value, in turn."""
        if not output.strip():
            return {}
        now, *rows = lines_of(output)
        found = {}
        for user, value in zip(rows[::2], rows[1::2], strict=False):
            seconds, _, limit = value.partition(" ")
            if int(seconds) > int(now):
                found[user] = Limited(limit, datetime.fromtimestamp(int(seconds), UTC))
        return found
