"""What lines of the journal by Postfix, Dovecot and rspamd count. Pure.

A line may contain text of strangers. So each label has a fixed list of values, and a stranger who imitates a
line can only make a number wrong by one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from .text import Metric, counter

_REASONS = {
    "relay": "Relay access denied",
    "needs_login": "needs a login",
    "foreign_sender": "not owned by user|not logged in",
    "bad_sender": "[Ss]ender address rejected",
    "unknown_recipient": "User unknown|unknown in|Recipient address rejected: (?:undeliverable|unverified)",
    "virus": "[Vv]irus|infected|clamav",
    "greylisted": "Try again later|[Gg]reylist",
    "limit": "[Rr]atelimit|[Rr]ate limit|[Tt]oo many|too much",
    "over_quota": "over quota|[Mm]ailbox is full|[Qq]uota exceeded",
    "blocklist": "blocked using|listed (?:in|at|on)",
    "fault": r"^4\.3\.\d|[Ll]ookup (?:error|failure)|Service unavailable|Server configuration|Internal error",
    "spam": r"[Ss]pam|Gtube|^5\.7\.1 Matched",
    "policy": r"^[45]\.7\.\d|DMARC|SPF|DKIM",
}
_BY_REASON = {reason: re.compile(pattern) for reason, pattern in _REASONS.items()}
_ACTIONS = ("no action", "greylist", "add header", "rewrite subject", "soft reject", "reject")
_SERVICES = {"imap": "imap", "pop3": "pop3", "managesieve": "sieve"}
_WAITING = 5000
"""Messages that arrive at the same time, at most."""


class Counter(NamedTuple):
    """A number that only goes up.

    + labels: the values of each label
    """

    help: str
    labels: Mapping[str, tuple[str, ...]] = {}


COUNTERS = {
    "received_messages": Counter(
        "Messages taken into the queue.", {"from": ("strangers", "users", "this_host")}
    ),
    "deliveries": Counter(
        "Attempts to deliver a message to a recipient.",
        {"to": ("mailboxes", "elsewhere", "other"), "status": ("sent", "deferred", "bounced")},
    ),
    "expired_messages": Counter("Messages that waited too long in the queue, and were returned."),
    "refusals": Counter(
        "Recipients and messages that were refused for now (later) or for good (never).",
        {"answer": ("later", "never"), "reason": (*_REASONS, "other")},
    ),
    "filtered_messages": Counter(
        "Messages that the filter has looked at, by its action.", {"action": (*_ACTIONS, "other")}
    ),
    "logins": Counter(
        "Logins, and wrong ones.",
        {"service": (*_SERVICES.values(), "smtp"), "result": ("ok", "failed")},
    ),
    "journal_lines": Counter("Lines of the mail services in the journal that were read."),
}

_QUEUE_ID = re.compile(r"[0-9A-F]{6,20}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,25}")
_AUTH = re.compile(r"disconnect from \S+(?: \w+=[\d/]+)*? auth=(\d+)(?:/(\d+))?(?= |$)")
_REFUSED = re.compile(r"(?:milter-)?reject: (?P<stage>[A-Z-]+) from \S+: (?P<reply>.*)")
_REPLY = re.compile(r"(?:[45]\d\d )?(?P<status>[45]\.\d{1,3}\.\d{1,3} )?(?:.*>: )?(?P<words>.*)")
"""A reply: the name or address in <> before its words is of the client's choice."""
_DELIVERY = re.compile(
    r"to=<.*?>, (?:orig_to=<.*?>, )?relay=(?P<relay>[^,]+), (?:conn_use=\d+, )?delay=[\d.]+, "
    r"(?:delays=[\d./]+, )?dsn=[\d.]+, status=(?P<status>[\w-]+) \("
)
_LOGGED_IN = re.compile(r"(imap|pop3|managesieve)-login: (?:Login|Logged in): user=<")
_NOT_LOGGED_IN = re.compile(r"(imap|pop3|managesieve)-login: [^<]*?\(auth failed, (\d+) attempts")
_SCANNED = re.compile(r"rspamd_task_write_log: id: .*\(default: \S \(([^)]*)\): \[-?[\d.]+/-?[\d.]+\] \[")


class Counts:
    """The counters, which a file keeps from run to run.

    + kept: that file's content; it is changed
    """

    def __init__(self, kept: dict[str, Any]) -> None:
        self.counted: dict[str, int] = kept.setdefault("counted", {})
        self.arriving: dict[str, str] = kept.setdefault("arriving", {})

    def add(self, name: str, *labels: str, by: int = 1) -> None:
        """Count something."""
        key = " ".join((name, *(label.replace(" ", "_") for label in labels)))
        self.counted[key] = self.counted.get(key, 0) + by

    def metrics(self) -> Iterator[Metric]:
        """Yield all counters, also those of what never happened."""
        for name, declared in COUNTERS.items():
            samples = []
            for values in product(*declared.labels.values()):
                shown = [value.replace(" ", "_") for value in values]
                labels = dict(zip(declared.labels, shown, strict=True))
                samples.append((labels, float(self.counted.get(" ".join((name, *shown)), 0))))
            yield counter(name, declared.help, samples)

    def take(self, program: str, text: str) -> None:
        """Count what a line says."""
        self.add("journal_lines")
        if program.startswith("postfix"):
            if "/srs/" not in program:  # the detour of forwarded mail
                self._postfix(program.rpartition("/")[2], text)
        elif program == "dovecot":
            self._dovecot(text)
        elif program == "rspamd" and (told := _SCANNED.search(text)):
            action = told[1].replace("_", " ")
            self.add("filtered_messages", action if action in _ACTIONS else "other")

    def _dovecot(self, text: str) -> None:
        if "-login: " not in text[:20]:
            return
        if told := _LOGGED_IN.match(text):
            self.add("logins", _SERVICES[told[1]], "ok")
        elif told := _NOT_LOGGED_IN.match(text):
            self.add("logins", _SERVICES[told[1]], "failed", by=int(told[2]))

    def _postfix(self, daemon: str, text: str) -> None:
        head, _, rest = text.partition(": ")
        if head == "NOQUEUE":
            self._refusal(rest)
        elif daemon == "smtpd" and text.startswith("disconnect from "):
            if told := _AUTH.match(text):
                succeeded, tried = int(told[1]), int(told[2] or told[1])
                self.add("logins", "smtp", "ok", by=succeeded)
                self.add("logins", "smtp", "failed", by=tried - succeeded)
        elif _QUEUE_ID.fullmatch(head):
            self._message(daemon, head, rest)

    def _message(self, daemon: str, queue_id: str, text: str) -> None:
        if daemon == "smtpd" and text.startswith("client="):
            self._arrives(queue_id, _sender(text))
        elif daemon == "pickup" and text.startswith("uid="):
            self._arrives(queue_id, "this_host")
        elif daemon == "qmgr":
            if text.endswith(" (queue active)"):  # each time it is tried
                if sender := self.arriving.pop(queue_id, ""):
                    self.add("received_messages", sender)
            elif text.startswith("from=<") and text.endswith(", status=expired, returned to sender"):
                self.add("expired_messages")
        elif text.startswith(("reject: ", "milter-reject: ")):
            if self._refusal(text) == "END-OF-MESSAGE":
                self.arriving.pop(queue_id, None)
        elif told := _DELIVERY.match(text):
            self._delivery(daemon, told["status"])

    def _arrives(self, queue_id: str, sender: str) -> None:
        self.arriving[queue_id] = sender
        if len(self.arriving) > _WAITING:
            del self.arriving[next(iter(self.arriving))]

    def _delivery(self, daemon: str, status: str) -> None:
        if status not in COUNTERS["deliveries"].labels["status"]:  # probes of addresses
            return
        self.add("deliveries", {"lmtp": "mailboxes", "smtp": "elsewhere"}.get(daemon, "other"), status)

    def _refusal(self, text: str) -> str:
        told = _REFUSED.match(text)
        if not told:
            return ""
        reply = told["reply"].partition("; from=<")[0]
        self.add("refusals", "later" if reply.startswith("4") else "never", _reason(reply))
        return told["stage"]


def _reason(reply: str) -> str:
    """Return why a reply refuses, by words of this host: not by those of a client, or of another server."""
    told = _REPLY.match(reply.partition(" said: ")[0])
    text = f"{told['status'] or ''}{told['words']}" if told else ""
    return next((name for name, pattern in _BY_REASON.items() if pattern.search(text)), "other")


def _sender(text: str) -> str:
    """Return from whom a client's message is."""
    if "sasl_username=" in text:
        return "users"
    local = text.startswith(("client=localhost[127.0.0.1]", "client=localhost[::1]"))
    return "this_host" if local else "strangers"
