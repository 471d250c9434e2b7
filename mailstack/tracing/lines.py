"""Lines of the journal by Postfix, Dovecot and rspamd, and what one line says. Pure.

A line may contain text of strangers: names of hosts, addresses, answers of other servers, fields of messages.
So a pattern names the place of each value, and no line is searched for a queue ID.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple


class Entry(NamedTuple):
    """A line of the journal.

    + host: the host's name in the inventory
    + at: the time, in seconds since 1970
    + program: the name before the colon, such as ``postfix/smtpd`` or ``dovecot``
    """

    host: str
    at: float
    program: str
    pid: str
    text: str

    @property
    def daemon(self) -> str:
        """The program without what is before the last slash: ``smtpd``."""
        return self.program.rpartition("/")[2]


_ENTRY = re.compile(r"(\d+\.\d+) ([^\s\[:]+)(?:\[(\d+)\])?: (.*)")


def entries(host: str, lines: Iterable[str]) -> Iterator[Entry]:
    """Yield the entries in the output of ``journalctl --output=short-unix --no-hostname``.

    Further lines of an entry are indented there, so they are none of their own.
    """
    for line in lines:
        if found := _ENTRY.fullmatch(line):
            at, program, pid, text = found.groups()
            yield Entry(host, float(at), program, pid or "", text)


QUEUE_ID = re.compile(r"(?:[0-9A-F]{6,20}|[0-9B-DF-HJ-NP-TV-Zb-df-hj-np-tv-z]{10,25})")
"""A queue ID of Postfix, short or long (postconf(5), enable_long_queue_ids)."""

QUEUED = re.compile(rf"({QUEUE_ID.pattern}): (.*)")
"""A line of Postfix about a message in its queue."""

CLIENT = re.compile(r"client=(?P<client>\S+\[[^\]]*\])(?::\d+)?(?P<more>(?:, .*)?)")
LOGIN = re.compile(r"(?:^|, )sasl_username=(?P<user>[^,]+)")
ORIGIN = re.compile(rf"^, (?:sasl_\S+, )*orig_queue_id=(?P<id>{QUEUE_ID.pattern})(?:,|$)")
"""The message from which smtpd(8) has this one, as a client of this host said by XFORWARD."""

LOCAL = re.compile(r"uid=(?P<uid>\d+) from=<(?P<sender>.*)>")
MESSAGE_ID = re.compile(r"(?:resent-)?message-id=(?P<id>.*)")
ACTIVE = re.compile(r"from=<(?P<sender>.*)>, size=(?P<size>\d+), nrcpt=(?P<recipients>\d+) \(queue active\)")
EXPIRED = re.compile(r"from=<(?P<sender>.*)>, status=expired, returned to sender")
DELIVERY = re.compile(
    r"to=<(?P<to>.*?)>, (?:orig_to=<(?P<asked>.*?)>, )?relay=(?P<relay>[^,]+), (?:conn_use=\d+, )?"
    r"delay=[\d.]+, (?:delays=[\d./]+, )?dsn=(?P<dsn>[\d.]+), status=(?P<status>[\w-]+) \((?P<reason>.*)\)"
)
NOTICE = re.compile(rf"(?P<kind>[a-z -]+ notification): (?P<id>{QUEUE_ID.pattern})")
REFUSAL = re.compile(
    r"(?P<by>reject|milter-reject|discard|milter-discard|hold|milter-hold): (?P<stage>[A-Z-]+) from"
    r" (?P<client>\S+): (?P<reply>.*); from=<(?P<sender>.*?)>(?:,? to=<(?P<to>.*?)>)?,? proto=.*"
)
QUEUED_AS = re.compile(rf"250 .*\bqueued as (?P<id>{QUEUE_ID.pattern})")

SESSION = re.compile(r"25\d (?:\d\.\d\.\d )?<[^>]*> (?P<id>\S+) Saved")
"""The answer of Dovecot's LMTP to Postfix, with the session that is in Dovecot's own lines."""
LMTP = re.compile(r"lmtp\((?P<user>[^)]*)\)<\d+><(?P<session>[^>]*)>: (?P<text>.*)")
STORED = re.compile(
    r"(?:sieve: )?msgid=.*: (?:stored mail into mailbox '(?P<folder>.*)'|saved mail to (?P<saved>.*)"
    r"|(?P<other>forwarded to .*|marked message to be discarded.*|rejected message.*|discarded .*|sent .*))"
)
FORWARDED = re.compile(r".*: forwarded to <?(?P<to>[^<>\s]+@[^<>\s]+?)>?")

SCANNED = re.compile(r"rspamd_task_write_log: (?P<text>id: .*)")
SCANNED_ID = re.compile(r"qid: <([^>]*)>")
SCORE = re.compile(
    r"\(default: \S \((?P<action>[^)]*)\): \[(?P<score>-?[\d.]+)/(?P<limit>-?[\d.]+)\]"
    r" \[(?P<why>.*)\]\), len: "
)
FORCED = re.compile(r".*, forced: .*; score=[^ ]+ \(set by (?P<name>\w+)\)")
SYMBOL = re.compile(r"(?:^|,)(?P<name>[A-Z0-9_]+)\((?P<weight>-?[\d.]+)\)")
CONNECTED = re.compile(r"connect from (?P<client>\S+)")
TLS = re.compile(r"(?P<trust>\w+) TLS connection established from \S+: (?P<version>TLSv[\d.]+) .*")
