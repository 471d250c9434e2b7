"""The mail of a day, counted in the lines of the journal. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from mailstack.overview.screen import Section, counted
from mailstack.tracing import lines
from mailstack.tracing.lines import Entry
from mailstack.tracing.meanings import meaning

PATTERN = (
    "^[0-9.]+ (postfix[^ ]*: ([^ ]+: (client=|uid=|.*, status=|[a-z-]*(reject|discard): )|NOQUEUE: )"
    "|rspamd[^ ]*: .*rspamd_task_write_log: )"
)
"""The lines that are counted, for grep(1)."""
_HERE = re.compile(r"\[(?:127\.\d+\.\d+\.\d+|::1)\](?::|$)")


@dataclass
class Day:
    """What came, what became of it, and what was refused, by reason.

    + strangers, users, host: messages from other servers, from users who logged in, and from the host itself
    + delivered, sent_on, failed: recipients: into mailboxes, to other servers, and those with a bounce
    + later: what was refused for a while (4xx)
    + filter: what the filter said, by its action
    """

    strangers: int = 0
    users: int = 0
    host: int = 0
    delivered: int = 0
    sent_on: int = 0
    failed: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    later: Counter[str] = field(default_factory=Counter)
    filter: Counter[str] = field(default_factory=Counter)


def counted_day(entries: Iterable[Entry]) -> Day:
    """Count the entries of one host."""
    day = Day()
    for entry in entries:
        if not entry.program.startswith("postfix"):
            if told := lines.SCORE.search(entry.text):
                day.filter[told["action"]] += 1
            continue
        queued = lines.QUEUED.fullmatch(entry.text)
        text = queued[2] if queued else entry.text.removeprefix("NOQUEUE: ")
        if text.startswith("client="):
            _came(day, text)
        elif entry.daemon == "pickup" and lines.LOCAL.fullmatch(text):
            day.host += 1
        elif told := lines.DELIVERY.fullmatch(text):
            _went(day, told["status"], told["relay"])
        elif told := lines.REFUSAL.fullmatch(text):
            by = day.later if told["reply"].startswith("4") else day.refused
            by[_label(told["reply"])] += 1
    return day


def _came(day: Day, text: str) -> None:
    told = lines.CLIENT.fullmatch(text)
    if not told:
        return
    if lines.LOGIN.search(told["more"]):
        day.users += 1
    elif not _HERE.search(told["client"]):
        day.strangers += 1
    elif not lines.ORIGIN.match(told["more"]):  # else the same message again
        day.host += 1


def _went(day: Day, status: str, relay: str) -> None:
    if status in ("bounced", "expired"):
        day.failed += 1
    elif status == "sent" and ("lmtp" in relay or relay in ("local", "virtual")):
        day.delivered += 1
    elif status == "sent" and not _HERE.search(relay):
        day.sent_on += 1


def _label(reply: str) -> str:
    return meaning(reply) or re.sub(r"<[^>]*>|\[[^\]]*\]", "…", reply)[:80]


def traffic(day: Day) -> Section:
    """Return the section about the mail of a day."""
    came = day.strangers + day.users + day.host
    shown = [
        f"in 24 h: {counted(came, 'message')} ({day.strangers:,} from others, {day.users:,} from users,"
        f" {day.host:,} from the host itself)",
        f"out: {day.delivered:,} into mailboxes, {day.sent_on:,} to other servers, {day.failed:,} failed",
    ]
    for name, reasons in (("refused", day.refused), ("to try later", day.later)):
        shown.append(f"{name}: {sum(reasons.values()):,}")
        shown += [f"{count:7,}  {reason}" for reason, count in reasons.most_common(4)]
    if scanned := sum(day.filter.values()):
        marked = {name: count for name, count in day.filter.items() if name != "no action"}
        actions = ", ".join(f"{count:,} {name}" for name, count in sorted(marked.items()))
        shown.append(f"spam: of {scanned:,} checked {actions or 'none was doubtful'}")
    data = {
        "from_others": day.strangers,
        "from_users": day.users,
        "from_host": day.host,
        "delivered": day.delivered,
        "sent_on": day.sent_on,
        "failed": day.failed,
        "refused": dict(day.refused.most_common()),
        "try_later": dict(day.later.most_common()),
        "filter": dict(day.filter.most_common()),
    }
    return Section("mail", shown, data)
